"""Layers in order, with all parameters in one vector theta and all gradients in one vector grad."""
from copy import copy

from npgan.backend import xp
from npgan.layer import Layer


class MLP(Layer):
    """
    A feedforward net: the output of each layer is the input of the next.  The net is itself a layer.

    With h_0 the input, h_l = f_l(h_{l-1}), and C a function of the last h, the chain rule gives the gradients from the
    top down, dC/dh_{l-1} = (dh_l/dh_{l-1})^T dC/dh_l.  Each layer's `bprop` returns this.

    Parameters
    ----------
    layers : sequence of Layer
        From the bottom; each layer's `dim` is the `nvis` of the next (a `Dropout` keeps the width below it).  A layer
        belongs to one net, the one built with it last.

    Attributes
    ----------
    theta, grad : array (number of parameters,)
        All parameters end to end, in the order of `params`, and dC/dtheta.  Every layer's ``W``, ``b``, ``dW``, ``db``
        are views into them, so changing theta in place changes the net.
    with_params, layer_names : list of int and list of str
        The indices of the layers with parameters, and the names of these: "h0", "h1", ... and "y" for the last.
    """

    argument_names = "layers",

    def __init__(self, layers):
        self.layers = list(layers)
        if not self.layers:
            raise ValueError("an MLP needs at least one layer, got none")
        for layer in self.layers:
            if layer.nvis is None:
                continue
            if self.nvis is None:
                self.nvis = layer.nvis
            elif layer.nvis != self.dim:
                raise ValueError(f"{layer!r} takes {layer.nvis} inputs, but the layer below it has {self.dim} units")
            self.dim = layer.dim
        self.with_params = [i for i, layer in enumerate(self.layers) if layer.params]
        if not self.with_params:
            raise ValueError(f"an MLP needs a layer with parameters, got {self.layers}")
        dtypes = sorted({str(p.dtype) for p in self.params})
        if len(dtypes) > 1:
            raise TypeError(f"the layers of an MLP share one precision, got {' and '.join(dtypes)}")
        size = sum(p.size for p in self.params)
        self.place(xp.empty(size, dtypes[0]), xp.empty(size, dtypes[0]))
        self.layer_names = [f"h{i}" for i in range(len(self.with_params) - 1)] + ["y"]

    @property
    def named_layers(self):
        """The layers with parameters, as pairs (name, layer)."""
        return [(name, self.layers[i]) for i, name in zip(self.with_params, self.layer_names)]

    def __copy__(self):
        """Return a net that shares the parameters of this one and keeps a forward pass of its own."""
        net = object.__new__(type(self))
        net.__dict__.update(self.__dict__, layers=[copy(layer) for layer in self.layers])
        return net

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.point(xp.array(self.theta), xp.array(self.grad))       # copies, because a loaded array may be read-only

    @property
    def params(self):
        return [p for layer in self.layers for p in layer.params]

    @property
    def grads(self):
        return [g for layer in self.layers for g in layer.grads]

    @property
    def streams(self):
        return [stream for layer in self.layers for stream in layer.streams]

    def point(self, theta, grad):
        self.theta, self.grad = theta, grad
        start = 0
        for layer in self.layers:
            stop = start + sum(p.size for p in layer.params)
            layer.point(theta[start:stop], grad[start:stop])
            start = stop

    def fprop(self, state_below):
        for layer in self.layers:
            state_below = layer.fprop(state_below)
        return state_below

    def dropout_fprop(self, state_below):
        for layer in self.layers:
            state_below = layer.dropout_fprop(state_below)
        return state_below

    def bprop(self, dh, params=True, inputs=True):
        lowest = self.with_params[0]                         # the layers below it have no parameters
        for layer in reversed(self.layers[lowest + 1:]):
            dh = layer.bprop(dh, params=params)
        for layer in reversed(self.layers[:lowest + 1]):
            dh = layer.bprop(dh, params=params, inputs=inputs)
            if not inputs:
                return None
        return dh

    def activations(self, state_below):
        """Yield name and output of each layer with parameters, for `state_below` (m, nvis), without dropout."""
        names = iter(self.layer_names)
        for i, layer in enumerate(self.layers):
            state_below = layer.fprop(state_below)
            if i in self.with_params:
                yield next(names), state_below

    def enforce_norm_limits(self):
        for layer in self.layers:
            layer.enforce_norm_limits()

    def __repr__(self):
        return f"MLP([{', '.join(map(repr, self.layers))}])"
