"""A layer that changes the order of the numbers in a row."""
import math
from itertools import permutations

from npgan.checks import check_shape
from npgan.layer import Layer


class Transpose(Layer):
    """
    The same numbers in another order: each row as an array of a `shape`, its axes in the order `axes` (NumPy's).

    ``Transpose((3, 32, 32), (1, 2, 0))`` turns CIFAR-10's planes of red, green and blue into pixels, the order of
    `MaxoutConv` and `Deconv`; ``Transpose((32, 32, 3), (2, 0, 1))`` turns pixels into planes.  The backward pass puts
    dC/dh back into the order below.

    Parameters
    ----------
    shape : (int, int, int)
        Shape of a row below.
    axes : (int, int, int)
        Axis i of the row above is axis axes[i] of the row below.
    """

    argument_names = ("shape", "axes")

    def __init__(self, shape, axes):
        self.shape = check_shape("shape", shape, "first axis", "second axis", "third axis")
        if tuple(axes) not in permutations(range(3)):
            raise ValueError(f"axes must be 0, 1 and 2 in some order, got {axes}")
        self.axes = tuple(axes)
        self.output_shape = tuple(self.shape[axis] for axis in axes)
        self.nvis = self.dim = math.prod(self.shape)

    def fprop(self, state_below):
        self.check_input(state_below)
        return self.remember(reorder(state_below, self.shape, self.axes))

    def bprop(self, dh, params=True, inputs=True):
        self.recall(dh)
        if inputs:
            return reorder(dh, self.output_shape, [self.axes.index(axis) for axis in range(3)])


def reorder(rows, shape, axes):
    """Return the `rows`, each an array of a `shape`, with the axes of each in the order `axes`."""
    return rows.reshape(-1, *shape).transpose(0, *(1 + axis for axis in axes)).reshape(rows.shape)
