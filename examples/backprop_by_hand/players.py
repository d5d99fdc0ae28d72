"""G and D as chains of layers, each of which calls what the learner wrote.  There is no derivative here."""
import numpy as np


class Affine:
    """z = s W + b, by exercise 1; W starts uniform on [-.05, .05), b at 0."""

    def __init__(self, f, nvis, dim, rng):
        self.f = f
        self.params = [rng.uniform(-.05, .05, (nvis, dim)).astype("float32"), np.zeros(dim, "float32")]

    def fprop(self, s):
        self.s = s
        return self.f.affine_fprop(s, *self.params)

    def bprop(self, dz):
        ds, *self.grads = self.f.affine_bprop(dz, self.s, self.params[0])
        return ds


class Rectifier:
    """h = max(0, z), by exercise 2."""

    params = grads = ()

    def __init__(self, f):
        self.f = f

    def fprop(self, z):
        self.z = z
        return self.f.rectifier_fprop(z)

    def bprop(self, dh):
        return self.f.rectifier_bprop(dh, self.z)


class Sigmoid(Rectifier):
    """h = sigmoid(z), by exercise 3."""

    def fprop(self, z):
        self.h = self.f.sigmoid_fprop(z)
        return self.h

    def bprop(self, dh):
        return self.f.sigmoid_bprop(dh, self.h)


class Maxout(Rectifier):
    """h, the largest of num_pieces pieces, by exercise 5."""

    def __init__(self, f, num_pieces):
        self.f, self.num_pieces = f, num_pieces

    def fprop(self, z):
        self.z = z
        return self.f.maxout_fprop(z, self.num_pieces)

    def bprop(self, dh):
        return self.f.maxout_bprop(dh, self.z, self.num_pieces)


class Dropout(Rectifier):
    """h = s mask / p, by exercise 6, with a new mask for each minibatch; h = s while it is not `active`."""

    active = True

    def __init__(self, f, include_prob, rng):
        self.f, self.include_prob, self.rng = f, include_prob, rng

    def fprop(self, s):
        if not self.active:
            return s
        self.mask = self.rng.random(s.shape) < self.include_prob
        return self.f.dropout_fprop(s, self.mask, self.include_prob)

    def bprop(self, dh):
        return self.f.dropout_bprop(dh, self.mask, self.include_prob)


class Player:
    """
    Layers in order, moved by the momentum of exercise 7; with a `decay`, beside the average of where they have been.

    average <- average + w (theta - average), w = (1 - decay)/(1 - decay^t) after t steps, so that about the last
    1/(1 - decay) steps count.
    """

    def __init__(self, f, layers, learning_rate, mu, decay=None):
        self.f, self.layers, self.learning_rate, self.mu, self.decay = f, layers, learning_rate, mu, decay
        self.steps = 0
        self.velocities = [[np.zeros_like(p) for p in layer.params] for layer in layers]
        self.average = [[np.zeros_like(p) for p in layer.params] for layer in layers]

    def fprop(self, s):
        for layer in self.layers:
            s = layer.fprop(s)
        return s

    def bprop(self, dh):
        for layer in reversed(self.layers):
            dh = layer.bprop(dh)
        return dh

    def descend(self):
        self.steps += 1
        weight = (1 - self.decay) / (1 - self.decay ** self.steps) if self.decay else 0.
        for layer, velocities, average in zip(self.layers, self.velocities, self.average):
            for i, grad in enumerate(layer.grads):
                layer.params[i], velocities[i] = self.f.momentum(
                    layer.params[i], velocities[i], grad, self.learning_rate, self.mu)
                if weight:
                    average[i] += weight * (layer.params[i] - average[i])

    def plain(self, s, average=False):
        """The forward pass without dropout; with the average of the parameters, if asked for."""
        own = [layer.params for layer in self.layers]
        for layer, params in zip(self.layers, self.average if average else own):
            layer.params, layer.active = params, False
        h = self.fprop(s)
        for layer, params in zip(self.layers, own):
            layer.params, layer.active = params, True
        return h
