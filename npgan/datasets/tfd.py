"""
The Toronto Face Database (TFD): 102,236 grey pictures of faces, of 48x48 pixels; 4,178 are labelled, in five splits.

J. M. Susskind, A. K. Anderson and G. E. Hinton, "The Toronto Face Database", technical report UTML TR 2010-001,
University of Toronto, 2010.  It is not public and states no licence; its authors may give it on request.
"""
from numbers import Integral

import numpy as np

from npgan import backend
from npgan.datasets import Dataset, finding, matlab, part
from npgan.files import DataError

NAME = "faces/TFD/TFD_48x48.mat"
PICTURES, LIMIT = 102236, 2**28                                 # 268 million bytes; the pictures are 236 million
PARTS = {"unlabeled": (0,), "train": (1,), "valid": (2,), "test": (3,), "full_train": (1, 2)}      # codes in a fold
ASK = "TFD is not public: ask Josh Susskind, who collected it at the University of Toronto, for TFD_48x48.mat; then "
CAVEAT = "{} other pictures than the Toronto Face Database's: nothing made from them is a result on it"


def load(which, fold=0):
    """
    Return a part of TFD: the paper's authors train on "unlabeled", and evaluate on "valid" and "test" of each fold.

    Parameters
    ----------
    which : "unlabeled", "train", "valid", "test" or "full_train"
        The pictures with the code 0, 1, 2, 3, or 1 and 2 in the fold; the unlabelled ones are the same in all folds.
    fold : int
        0 to 4.

    Returns
    -------
    Dataset
        X is (n, 2304), row by row, the byte / 255, in [0, 1] with 0 for black; y is the expression, 0 to 6, or None
        for "unlabeled".  A file with another number of pictures than TFD gives it a `caveat`.

    Raises
    ------
    ValueError
        For another `which`.
    DataError
        If the file is missing or damaged, or has another layout or no such fold; if a pixel, a label or a code is not a
        whole number, for example because pixels are stored as fractions of 255.
    """
    codes = part(which, PARTS)
    path = finding.find(NAME)
    if path is None:
        raise finding.missing(NAME, [NAME], first=ASK)
    images, folds, labels = matlab.read(path, ("images", "folds", "labs_ex"), LIMIT)
    n = images.size // 48**2
    if (images.shape, folds.shape, labels.shape) != ((n, 48, 48), (n, 5), (n, 1)):
        raise DataError(path, "images (n, 48, 48), folds (n, 5) and labs_ex (n, 1)",
                        f"{images.shape}, {folds.shape} and {labels.shape}", finding.REMEDY)
    if not isinstance(fold, Integral) or not 0 <= fold < 5:
        raise DataError(path, "a fold from 0 to 4", f"{fold!r} asked for", "choose one of these")
    rows = np.flatnonzero(np.isin(folds[:, fold], codes))
    if not rows.size:
        raise DataError(path, f"the code {' or '.join(map(str, codes))} in fold {fold}", "none", finding.REMEDY)
    _check(path, "codes in folds", folds, 0, 3)
    X = np.empty((len(rows), 48 * 48), backend.floatX)
    for start in range(0, len(rows), 1000):                         # in parts, because the file may have float64
        pixels = images[rows[start:start + 1000]].reshape(-1, 48 * 48)
        _check(path, "pixels in images", pixels, 0, 255)
        X[start:start + 1000] = pixels
    name, y = f"tfd {which}", None
    if which != "unlabeled":
        labels = labels[rows, 0]
        _check(path, "expressions in labs_ex", labels, 1, 7)
        name, y = f"tfd {which} of fold {fold}", labels.astype(int) - 1
    X /= 255
    return Dataset(X, y, shape=(48, 48), name=name, caveat="" if n == PICTURES else CAVEAT.format(n))


def _check(path, what, values, low, high):
    if not low <= values.min() <= values.max() <= high:
        raise DataError(path, f"{what} from {low} to {high}", f"{values.min()} to {values.max()}", finding.REMEDY)
    if values.dtype.kind == "f" and (values % 1).any():
        raise DataError(path, f"whole numbers as {what}", f"{values[values % 1 > 0][0]}", finding.REMEDY)
