"""
Data sets: rows of numbers with their labels and the shape of their pictures; one module for each set.

    >>> from npgan.datasets import digits
    >>> train = digits.load("train")
    >>> train.X.shape, train.shape
    ((1197, 64), (8, 8))
"""
import hashlib
import math
from collections.abc import Iterable
from functools import cached_property
from numbers import Integral

import numpy as np

from npgan import backend
from npgan.backend import xp


class Dataset:
    """
    Rows of numbers for training or evaluation.

    Parameters
    ----------
    X : array_like (n, d)
        One example per row; finite.
    y : array_like (n,) of int, optional
        The examples' labels.
    shape : tuple of int, optional
        The shape of a row's picture: (h, w) grey; (h, w, 3), or (3, h, w) for three planes, in colour; (d,) by default.
    name : str
        The data set's name in messages and pictures.
    caveat : str
        A sentence to print with every result on these rows, for example because they come from other files than the
        data set's own; `name` then ends in "(unofficial)".

    Attributes
    ----------
    X : backend array (n, d) of floatX
        A whole data set and its minibatches stay on the GPU: in float32 MNIST's 50,000 training rows take 157 MB,
        CIFAR-10's 614 MB, TFD's 98,058 faces 904 MB.
    y : numpy int array (n,), or None
    shape : tuple of int
    name, caveat : str

    Raises
    ------
    TypeError
        If X is not an array of real numbers, or y not one of whole numbers.
    ValueError
        If X, y and shape do not fit together or a value is NaN or infinite.
    """

    argument_names = "name", "shape", "rows", "checksum"        # by which a checkpoint identifies the data

    def __init__(self, X, y=None, shape=None, name="data", caveat=""):
        self.caveat = caveat
        self.name = f"{name} (unofficial)" if caveat else name
        self.X = backend.asarray(X, name="X")
        if self.X.ndim != 2 or self.X.size == 0:
            raise ValueError(f"X must have the shape (rows, values of a row), both at least 1, got {self.X.shape}; "
                             "flatten pictures with X.reshape(len(X), -1)")
        if not (xp.isfinite(self.X.min()) and xp.isfinite(self.X.max())):
            row = int(xp.argmin(xp.isfinite(self.X).all(axis=1)))
            raise ValueError(f"X must be finite, got NaN or infinity first in row {row}; leave out such rows")

        n, d = self.X.shape
        self.shape = (d,) if shape is None else tuple(shape) if isinstance(shape, Iterable) else ()
        if not all(isinstance(size, Integral) and size > 0 for size in self.shape) or math.prod(self.shape) != d:
            raise ValueError(f"shape must be whole numbers whose product is {d}, the length of a row, got {shape!r}")
        self.y = None
        if y is not None:
            self.y = backend.to_numpy(backend.asarray(y, int, name="y"))
            if self.y.shape != (n,):
                raise ValueError(f"y must have one label for each of the {n} rows, got the shape {self.y.shape}")

    def __len__(self):
        return len(self.X)

    def minibatches(self, batch_size, rng=None):
        """
        Return the minibatches of one epoch: all rows once, in sequence; the last minibatch may be shorter.

        Parameters
        ----------
        batch_size : int
            Rows in a minibatch, 1 to n.
        rng : RandomStream, optional
            Draws a new order of the rows; by default they keep theirs.

        Returns
        -------
        iterator of backend arrays (batch_size, d)

        Raises
        ------
        ValueError
            If batch_size is not a whole number from 1 to n.
        TypeError
            If rng is not a RandomStream.
        """
        n = len(self)
        if not isinstance(batch_size, Integral) or not 1 <= batch_size <= n:
            raise ValueError(f"batch_size must be an integer from 1 to the {n} rows of {self.name}, "
                             f"got {batch_size!r}")
        starts = range(0, n, batch_size)
        if rng is None:
            return (self.X[i:i + batch_size] for i in starts)
        order = self.order(rng)
        return (self.X[order[i:i + batch_size]] for i in starts)

    def order(self, rng):
        """Return a random order of the n rows for one epoch, drawn by `rng`, as a backend array (n,) of indices."""
        backend.check_stream(rng)
        return xp.asarray(rng.permutation(len(self)))

    @property
    def rows(self):
        """The number of rows, an int."""
        return len(self)

    @cached_property
    def checksum(self):
        """The SHA-256 sum of the bytes of X, a str."""
        return hashlib.sha256(np.ascontiguousarray(backend.to_numpy(self.X))).hexdigest()

    def __repr__(self):
        return f"<Dataset {self.name}: {len(self)} rows of {self.shape}>"


def check_dataset(name, dataset):
    """Raise TypeError unless `dataset`, the value of the argument `name`, is a Dataset."""
    if not isinstance(dataset, Dataset):
        raise TypeError(f"{name} must be a Dataset, got a {type(dataset).__name__}; wrap it: Dataset(X)")


def part(which, parts):
    """Return ``parts[which]``; raise ValueError unless `which` is one of the keys, such as "train"."""
    if not isinstance(which, str) or which not in parts:
        raise ValueError(f"which must be one of {', '.join(parts)}, got {which!r}")
    return parts[which]
