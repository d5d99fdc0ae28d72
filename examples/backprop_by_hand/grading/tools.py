"""What the three files of exercises share."""
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from npgan import backend
from npgan.backend import RandomStream


class Exercise(NamedTuple):
    """An exercise: its file and title, its tasks, the same in npgan and how that differs, what it builds on."""

    stem: str
    title: str
    tasks: list
    twins: list
    note: str
    needs: tuple = ()

    @property
    def name(self):
        return self.stem.split("_", 1)[1]


class Passes:
    """A forward pass of npgan's with the learner's backward pass, for `gradient_check.check`."""

    params = grads = ()

    def __init__(self, forward, backward):
        self.forward, self.backward = forward, backward

    def fprop(self, *inputs):
        self.kept = [x.copy() for x in inputs]
        return self.forward(*inputs)

    def bprop(self, dh):
        return self.backward(dh, *self.kept)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@contextmanager
def double():
    """Within, npgan builds in double precision."""
    before = backend.floatX
    backend.use(floatX="float64")
    try:
        yield RandomStream(2014)
    finally:
        backend.use(floatX=before)


def built(layer, *sizes, W=None, b=0., **more):
    """A layer of npgan's with the weights W, the identity if there are none, so that its z is its input."""
    with double() as rng:
        layer = layer(*sizes, irange=1., rng=rng, **more)
    layer.W[...] = np.eye(*layer.W.shape) if W is None else W.reshape(layer.W.shape)
    layer.b[...] = b
    return layer


def rows_of(name):
    return lambda I: len(getattr(I, name))
