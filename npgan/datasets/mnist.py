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
PARTS = {                                                       # which file's rows
    "train": ("train", slice(0, 50000)),
    "valid": ("train", slice(50000, 60000)),
    "test": ("t10k", slice(0, 10000)),
}
CAVEAT = "other files than MNIST's official ones: nothing made from them is a result on MNIST"
REMEDY = "put a whole IDX file there"


def load(which):
    """
    Return the part of MNIST on which the paper's authors train, choose sigma, or report their results.

    Parameters
    ----------
    which : "train", "valid" or "test"
        The training file's first 50,000 rows, its other 10,000, or the test file's 10,000; all in the files' order.

    Returns
    -------
    Dataset
        X is (n, 784), the byte / 255, in [0, 1] with 1 for ink; y is the digit.  Other files of the same size under
        MNIST's names, such as Fashion-MNIST's, give it a `caveat`.

    Raises
    ------
    ValueError
        For another `which`.
    DataError
        If a file is damaged or of another size, or cannot be found or downloaded.
    """
    stem, rows = part(which, PARTS)
    images, official_images = _read(f"mnist/{stem}-images-idx3-ubyte")
    labels, official_labels = _read(f"mnist/{stem}-labels-idx1-ubyte")
    X = backend.asarray(images[rows].reshape(-1, 28 * 28))
    X /= 255
    return Dataset(X, labels[rows], shape=(28, 28), name=f"mnist {which}",
                   caveat="" if official_images and official_labels else CAVEAT)


def _read(name):
    """Return the array in one of `FILES`, and whether the file is MNIST's own."""
    path = finding.find(name) or fetching.fetch(name, FILES, MIRRORS)
    size, md5 = FILES[name]
    data = finding.read(path, size)
    array = _parse(path, data)
    shape = (size - 8,) if "labels" in name else ((size - 16) // 28**2, 28, 28)
    if array.shape != shape:
        raise DataError(path, f"an array of shape {shape}", f"one of shape {array.shape}", REMEDY)
    if "labels" in name and array.max() > 9:
        raise DataError(path, "labels from 0 to 9", f"{array.max()} among them", REMEDY)
    return array, finding.checksum(data) == md5


def read_idx(path):
    """
    Return the array in an IDX file of pictures or labels, plain or .gz: MNIST's, or EMNIST's with more pictures.

    The file is big-endian: a magic number, 2051 for pictures or 2049 for labels; 4 bytes for the size of each
    dimension; then one byte per value.  Decompress a .gz file first if it grows by more than 84 MB.

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
        If the file has another format or length, or is a web page.
    """
    return _parse(path, finding.read(path))


def _parse(path, data):
    magic = int.from_bytes(data[:4], "big")
    if magic not in (2051, 2049):
        raise DataError(path, "the magic number 2051 (pictures) or 2049 (labels)", str(magic), REMEDY)
    start = 16 if magic == 2051 else 8
    shape = tuple(int(n) for n in np.frombuffer(data[4:start].ljust(start - 4, b"\0"), ">u4"))
    counts = " x ".join(map(str, shape))
    if len(data) != start + math.prod(shape):
        raise DataError(path, f"{start} + {counts} bytes, as its header says", f"{len(data)} bytes", REMEDY)
    if 0 in shape:                                              # beside a huge size NumPy refuses a size of 0
        raise DataError(path, "one value or more", f"{counts} values", REMEDY)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
