"""MNIST (Y. LeCun, C. Cortes, C. J. C. Burges): 70,000 handwritten digits, grey pictures of 28x28 pixels."""
import math

import numpy as np

from npgan import backend
from npgan.datasets import Dataset, fetching, finding, part
from npgan.files import DataError

FILES = {                                                       # name: bytes and MD5 sum, both uncompressed
    "mnist/train-images-idx3-ubyte": (47040016, "6bbc9ace898e44ae57da46a324031adb"),
    "mnist/train-labels-idx1-ubyte": (60008, "a25bea736e30d166cdddb491f175f624"),
    "mnist/t10k-images-idx3-ubyte": (7840016, "2646ac647ad5339dbf082846283269ea"),
    "mnist/t10k-labels-idx1-ubyte": (10008, "27ae3e4e09519cfbb04c329615203637"),
}
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
PARTS = {
    "train": ("train", slice(0, 50000)),
    "valid": ("train", slice(50000, 60000)),
    "test": ("t10k", slice(0, 10000)),
}


def load(which):
    """
    The part of MNIST that the paper's authors train on, choose sigma on, or report on.

    Parameters
    ----------
    which : "train", "valid" or "test"
        The training file's first 50,000 rows, its other 10,000, or the test file's 10,000; all in the files' order.

    Returns
    -------
    Dataset
        X is (n, 784), the byte / 255, in [0, 1] with 1 for ink; y is the digit.

    Raises
    ------
    ValueError
        For another `which`.
    DataError
        If a file is another than MNIST's, or is nowhere and cannot be fetched.
    """
    stem, rows = part(which, PARTS)
    images, labels = (_array(f"mnist/{stem}-{kind}-ubyte")[rows] for kind in ("images-idx3", "labels-idx1"))
    X = backend.asarray(images.reshape(len(images), -1))
    X /= 255
    return Dataset(X, labels, shape=(28, 28), name=f"mnist {which}")


def _array(name):
    path = finding.find(name) or fetching.fetch(name, FILES, MIRRORS)
    return _parse(path, finding.read(path, *FILES[name]))


def read_idx(path):
    """
    The array in an IDX file of pictures or labels, plain or .gz, up to the size of MNIST's largest.

    The file is big-endian: a magic number, 2051 for pictures or 2049 for labels; 4 bytes for the size of each
    dimension; then one byte per value.

    Parameters
    ----------
    path : path

    Returns
    -------
    numpy uint8 array (n, h, w) or (n,)
        Not writable.

    Raises
    ------
    DataError
        If the file is anything else, down to its last byte.
    """
    return _parse(path, finding.read(path, limit=max(size for size, _ in FILES.values())))


def _parse(path, data):
    remedy = "put a whole IDX file there"
    magic = int.from_bytes(data[:4], "big")
    if magic not in (2051, 2049):
        raise DataError(path, "the magic number 2051 (pictures) or 2049 (labels)", str(magic), remedy)
    start = 16 if magic == 2051 else 8
    shape = tuple(int(n) for n in np.frombuffer(data[4:start].ljust(start - 4, b"\0"), ">u4"))
    counts = " x ".join(map(str, shape))
    if len(data) != start + math.prod(shape):
        raise DataError(path, f"{start} + {counts} bytes, as its header says", f"{len(data)} bytes", remedy)
    if 0 in shape:                                          # which NumPy may refuse beside a huge size
        raise DataError(path, "one value or more", f"{counts} values", remedy)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
