"""Checks of arguments, with their messages."""
import math
from numbers import Integral, Real

import numpy as np

from npgan import backend


def check_positive_ints(**sizes):
    """Refuse sizes that are not whole numbers >= 1, by name."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {size!r}")


def check_shape(name, value, *parts):
    """The `value` of the argument `name`, a whole number >= 1 for each of its `parts`, as a tuple."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else ()
    if len(numbers) != len(parts) or not all(isinstance(number, Integral) and number >= 1 for number in numbers):
        raise ValueError(f"{name} must be whole numbers >= 1, ({', '.join(parts)}), got {value!r}")
    return numbers


def check_finite_number(name, value):
    """The `value` of the argument `name`, a number that is finite in floatX too."""
    if not isinstance(value, Real) or not abs(value) <= float(np.finfo(backend.floatX).max):
        raise ValueError(f"{name} must be a finite number of {backend.floatX}, got {value!r}")
    return value


def check_positive_number(name, value):
    """The `value` of the argument `name`, a finite number > 0, as a float."""
    if not check_finite_number(name, value) > 0:
        raise ValueError(f"{name} must be a number > 0, got {value!r}")
    return float(value)


def check_nonnegative_int(name, value):
    """The `value` of the argument `name`, a whole number >= 0."""
    if not isinstance(value, Integral) or value < 0:
        raise ValueError(f"{name} must be a whole number >= 0, got {value!r}")
    return value


def count_numbers(shape):
    """How many numbers an array of a `shape` has; refuses more than 2^25, as a forged file may ask for any."""
    if math.prod(shape) > 2 ** 25:
        raise ValueError(f"{' x '.join(map(str, shape))} are more than 2^25 numbers, too many for one example")
    return math.prod(shape)
