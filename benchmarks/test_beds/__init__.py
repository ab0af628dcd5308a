"""Two small models trained from scratch on images that the code makes: where accuracy means something.

Random weights say little about quantisation, and neither datasets nor weights of others are in this
repository. So a segmentation model learns drawn street scenes (`scenes.py`), a classifier the scanned digits
inside scikit-learn on photographed backgrounds (`digits.py`). The command is `__main__.py`.
"""
