import numpy as np
import pytest
from differences import from_numpy
from numpy.testing import assert_array_equal

from npgan.transpose import Transpose


def test_planes_of_colour_and_pixels():
    """CIFAR-10 has all red, then all green, then all blue pixels, each plane row by row."""
    rows = np.arange(2 * 3 * 2 * 5.).reshape(2, 30)
    to_pixels, to_planes = Transpose((3, 2, 5), (1, 2, 0)), Transpose((2, 5, 3), (2, 0, 1))
    found = from_numpy(to_pixels.fprop, rows)
    for picture, row, column, channel in np.ndindex(2, 2, 5, 3):
        assert found[picture, (row * 5 + column) * 3 + channel] == rows[picture, channel * 10 + row * 5 + column]
    assert to_pixels.output_shape == (2, 5, 3) and to_planes.output_shape == (3, 2, 5)
    assert_array_equal(from_numpy(to_planes.fprop, found), rows)
    assert_array_equal(from_numpy(to_pixels.bprop, found), rows)


@pytest.mark.parametrize("shape, axes, message", [
    ((3, 4), (0, 1), r"shape must be \(first axis, second axis, third axis\), each a whole number >= 1, got \(3, 4\)"),
    ((3, 4, 5), (0, 1, 1), r"axes must be 0, 1 and 2 in some order, got \(0, 1, 1\)"),
    ((3, 4, 5), (1, 2, 3), r"axes must be 0, 1 and 2 in some order, got \(1, 2, 3\)")])
def test_bad_shape_or_axes(shape, axes, message):
    with pytest.raises(ValueError, match=message):
        Transpose(shape, axes)
