"""
The handwritten digits that come with npgan: 1,797 grey pictures of 8x8 pixels.

From E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49, licence CC BY 4.0; ``data/README.rst`` says how the file was made.
"""
from io import BytesIO

import numpy as np

from npgan.datasets import Dataset, finding, part

NAME, SIZE, MD5 = "digits.npy", 116933, "ecfeb983fe2ed0f49af0b3be6d73c622"
PARTS = {"train": slice(0, 1197), "valid": slice(1197, 1497), "test": slice(1497, 1797)}


def load(which):
    """
    Return the training, validation or test digits: 1,197, 300 and 300 rows, with every class in proportion.

    Parameters
    ----------
    which : "train", "valid" or "test"

    Returns
    -------
    Dataset
        X is (n, 64), multiples of 1/16 in [0, 1] with 1 for ink; y is the digit.

    Raises
    ------
    ValueError
        For another `which`.
    DataError
        If the file is missing or damaged.
    """
    rows = part(which, PARTS)
    path = finding.find(NAME)
    if path is None:
        raise finding.missing(NAME, [NAME])
    array = np.load(BytesIO(finding.read(path, SIZE, MD5)), allow_pickle=False)[rows]
    return Dataset(array[:, :64] / 16, array[:, 64], shape=(8, 8), name=f"digits {which}")
