"""Preprocessing of pictures."""
import math
from numbers import Real

import numpy as np

from npgan import backend
from npgan.backend import xp

MIN_DIVISOR = 1e-8


def global_contrast_normalize(X, scale):
    """
    Subtract each picture's mean, then scale the picture to the norm `scale`, as Pylearn2's function of this name does.

        x <- x - mean(x)        over the picture's own d values
        x <- scale x / |x|      its root mean square is then scale / sqrt(d)

    A picture with equal pixels has no contrast and becomes 0; one with a norm below 1e-8 scale only loses its mean.
    The mean and the norm are lost: to look at such pictures, divide them by their largest magnitude, as
    `viewer.nearest_sheet` does.

    Parameters
    ----------
    X : array_like (n, d)
    scale : float
        Above 0; 55 for the authors' CIFAR-10.

    Returns
    -------
    backend array (n, d) of floatX

    Raises
    ------
    ValueError
        If `scale` is not positive, X is not 2-dimensional, or the squares of its numbers overflow.
    """
    if not isinstance(scale, Real) or not 0 < scale < math.inf:
        raise ValueError(f"scale must be a number above 0, got {scale!r}")
    X = backend.asarray(X, name="X")
    if X.ndim != 2:
        raise ValueError(f"X must have the shape (pictures, values of a picture), got {X.shape}; "
                         "flatten pictures with X.reshape(len(X), -1)")
    X = X - backend.asarray(xp.mean(X, axis=1, dtype="float64", keepdims=True))     # exactly 0 for equal pixels
    largest = float(xp.abs(X).max())
    if not largest < (np.finfo(backend.floatX).max / X.shape[1]) ** .5:
        raise ValueError(f"X has pictures that differ from their means by up to {largest:g}, whose squares "
                         f"{backend.floatX} cannot sum; rescale it")
    divisor = xp.sqrt(xp.sum(X * X, axis=1, keepdims=True)) / scale
    return X / xp.where(divisor < MIN_DIVISOR, 1, divisor)
