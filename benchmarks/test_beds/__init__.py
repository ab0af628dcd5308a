"""Models trained from scratch on images that the code makes: where accuracy means something.

Random weights say little about quantisation, and neither datasets nor weights of others are in this
repository. So a small segmentation model learns drawn street scenes (`scenes.py`), and a classifier the
scanned digits that come with scikit-learn (`digits.py`). The command is `__main__.py`.
"""
