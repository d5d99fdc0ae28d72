"""Checks of arguments: each raises ValueError with a message that names the argument."""
from numbers import Integral, Real

import numpy as np

from npgan import backend


def check_positive_ints(**sizes):
    """Raise ValueError unless each of the `sizes` is a whole number >= 1."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {size!r}")


def check_shape(name, value, *axes):
    """Return `value`, the argument `name`, as a tuple with a whole number >= 1 for each of the `axes`."""
    shape = tuple(value) if isinstance(value, (tuple, list)) else ()
    if len(shape) != len(axes) or not all(isinstance(size, Integral) and size >= 1 for size in shape):
        raise ValueError(f"{name} must be ({', '.join(axes)}), each a whole number >= 1, got {value!r}")
    return shape


def check_finite_number(name, value):
    """Return `value`, the argument `name`, if it is a number that is finite in floatX."""
    if not isinstance(value, Real) or not abs(value) <= float(np.finfo(backend.floatX).max):
        raise ValueError(f"{name} must be a finite number of {backend.floatX}, got {value!r}")
    return value


def check_positive_number(name, value):
    """Return `value`, the argument `name`, as a float if it is a finite number > 0."""
    if not check_finite_number(name, value) > 0:
        raise ValueError(f"{name} must be a number > 0, got {value!r}")
    return float(value)


def check_nonnegative_int(name, value):
    """Return `value`, the argument `name`, if it is a whole number >= 0."""
    if not isinstance(value, Integral) or value < 0:
        raise ValueError(f"{name} must be a whole number >= 0, got {value!r}")
    return value
