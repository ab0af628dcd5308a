"""Accuracy of a model on a dataset on disk: read, preprocess, run, score, compare. No torch here."""
