"""
CIFAR-10 (A. Krizhevsky, V. Nair, G. Hinton): 60,000 colour photographs of 32x32 pixels, in ten classes.

From https://www.cs.toronto.edu/~kriz/cifar.html, which states no licence and asks to cite A. Krizhevsky, "Learning
Multiple Layers of Features from Tiny Images", 2009.  Only the binary version is read, because the Python version is
pickled.  If it is not found, 170 MB are downloaded.
"""
from pathlib import Path

import numpy as np

from npgan import backend
from npgan.backend import xp
from npgan.datasets import Dataset, fetching, finding, part
from npgan.datasets.preprocessing import global_contrast_normalize
from npgan.files import DataError

ARCHIVE = "cifar10/cifar-10-binary.tar"
FILES = {                                                       # name: bytes and MD5 sum
    "cifar10/cifar-10-batches-bin/data_batch_1.bin": (30730000, "5dd7e06a14cb22eb9f671a540d1b7c25"),
    "cifar10/cifar-10-batches-bin/data_batch_2.bin": (30730000, "5ea93a67294ea407fff1d09f752e9692"),
    "cifar10/cifar-10-batches-bin/data_batch_3.bin": (30730000, "942cd6a4bcdd0dd3c604fbe906cb4421"),
    "cifar10/cifar-10-batches-bin/data_batch_4.bin": (30730000, "ae636b3ba5c66a11e91e8cb52e771fcb"),
    "cifar10/cifar-10-batches-bin/data_batch_5.bin": (30730000, "53f37980c15c3d472c316c40844f3f0d"),
    "cifar10/cifar-10-batches-bin/test_batch.bin": (30730000, "803d5f7f4d78ea53de84dbe85f74fb6d"),
}
MIRRORS = "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/", "https://www.cs.toronto.edu/~kriz/"
PICKLED = "cifar10/cifar-10-batches-py/data_batch_1", "cifar10/cifar-10-python.tar"
PARTS = {"train": slice(0, 4), "valid": slice(4, 5), "test": slice(5, 6)}              # of FILES
RECORD = 1 + 3 * 32 * 32                                        # the class, then the planes: red, green, blue
CAVEAT = "other files than CIFAR-10's official ones: nothing made from them is a result on CIFAR-10"


def load(which, gcn=55.):
    """
    Return the part of CIFAR-10 on which the paper's authors train or validate, or its test set.

    Parameters
    ----------
    which : "train", "valid" or "test"
        The first 40,000 pictures of the five training files, the other 10,000, or the test file's 10,000, in order.
    gcn : float or None
        The norm of a picture after `preprocessing.global_contrast_normalize`; None leaves the byte / 255, in [0, 1].

    Returns
    -------
    Dataset
        X is (n, 3072): the red plane, row by row, then the green and the blue one; y is the class, from 0 to 9.  Whole
        files with other MD5 sums than the official ones give it a `caveat`.

    Raises
    ------
    ValueError
        For another `which` or `gcn`.
    DataError
        If a file is damaged or pickled, or cannot be found or downloaded.
    """
    names = list(FILES)[part(which, PARTS)]
    official, pixels, classes = True, [], []
    for name, (path, data) in _read(names).items():
        official &= finding.checksum(data) == FILES[name][1]
        records = _parse(path, data, FILES[name][0])
        X = backend.asarray(records[:, 1:])
        pixels.append(X / 255 if gcn is None else global_contrast_normalize(X, gcn))
        classes.append(records[:, 0])
    return Dataset(xp.concatenate(pixels), np.concatenate(classes), shape=(3, 32, 32), name=f"cifar10 {which}",
                   caveat="" if official else CAVEAT)


def _read(names):
    """Return the path and the bytes of each of these files: unpacked ones if all are found, else from the archive."""
    paths = {name: finding.find(name) for name in FILES}
    absent = [name for name in FILES if paths[name] is None]
    if not absent:
        return {name: (paths[name], finding.read(paths[name], FILES[name][0])) for name in names}
    if len(absent) < len(FILES):                                # the archive's pictures may have another order
        raise finding.missing(absent[0], FILES, "no such file beside the others")
    archive = finding.find(ARCHIVE)
    pickled = next(filter(None, map(finding.find, PICKLED)), None)
    if archive is None and pickled is not None:
        raise DataError(pickled, "CIFAR-10's binary version", "the Python version, whose pickles may run any program",
                        f"put {ARCHIVE}.gz below the same folder, from {MIRRORS[-1]}{Path(ARCHIVE).name}.gz")
    archive = archive or fetching.fetch(ARCHIVE, FILES, MIRRORS)
    unpacked = finding.unpack(archive, {name: (size, None) for name, (size, _) in FILES.items()})
    return {name: (archive / Path(name).name, unpacked[name]) for name in names}


def _parse(path, data, size):
    remedy = "put a whole file of CIFAR-10's binary version there"
    if len(data) != size:
        raise DataError(path, f"{size // RECORD} records of {RECORD} bytes", f"{len(data)} bytes", remedy)
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    wrong = np.flatnonzero(records[:, 0] > 9)
    if wrong.size:
        raise DataError(path, f"a class from 0 to 9 at the start of each record of {RECORD} bytes",
                        f"{records[wrong[0], 0]} in record {wrong[0]}", remedy)
    return records
