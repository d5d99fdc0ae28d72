"""What checkpoints say of nets and runs, in JSON's terms: enough to make the nets anew, and to tell two runs apart."""
import math

import numpy as np

from npgan import backend
from npgan.adversarial import Generator
from npgan.backend import RandomStream
from npgan.checks import count_numbers
from npgan.conv import Deconv, MaxoutConv, Transpose
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP
from npgan.released.noise_layers import Clusterize, IntrinsicDropout, NoiseCat
from npgan.section7 import conditional
from npgan.section7.completion import CompletingGenerator

KINDS = {kind.__name__: kind for kind in (Linear, RectifiedLinear, Sigmoid, Maxout, Dropout,        # of layers
                                          MaxoutConv, Deconv, Transpose, NoiseCat, Clusterize, IntrinsicDropout,
                                          conditional.Conditional, conditional.ConditionalRectifiedLinear,
                                          conditional.ConditionalMaxout, conditional.ConditionalDropout)}
GENERATORS = {kind.__name__: kind for kind in (Generator, conditional.ConditionalGenerator, CompletingGenerator)}


def describe(net):
    """What `build` needs to make a layer, an MLP or a generator's `mlp` like `net`; or what has `argument_names`."""
    if isinstance(net, Generator):
        kind = {} if type(net) is Generator else {"kind": type(net).__name__}
        return {**kind, "mlp": describe(net.mlp), "noise": net.prior,
                **{name: getattr(net, name) for name in net.argument_names}}
    if isinstance(net, MLP):
        return {"kind": "MLP", "layers": [describe(layer) for layer in net.layers]}
    return {"kind": type(net).__name__, **{name: getattr(net, name) for name in net.argument_names}}


def build(description, weights, rng, depth=0):
    """
    The layer of a `description`; it draws its weights from `weights`, a `Saved`, masks and noise from `rng`.

    A net lies at most ten deep within others, its `depth`.
    """
    arguments = dict(description)
    kind = arguments.pop("kind")
    if kind == "MLP":
        if depth > 10:
            raise ValueError("nets within nets, more than ten deep")
        return MLP([build(layer, weights, rng, depth + 1) for layer in arguments["layers"]])
    if kind not in KINDS:
        raise ValueError(f"a layer {kind}, none of {', '.join(KINDS)}; add its class to "
                         "npgan.checkpoint.description.KINDS")
    drawn = ({"irange": 0., "rng": weights} if KINDS[kind].param_names else
             {"rng": rng} if issubclass(KINDS[kind], (Dropout, NoiseCat, Clusterize)) else {})
    layer = KINDS[kind](**arguments, **drawn)
    weights.count(layer)
    return layer


def build_generator(description, mlp, rng):
    """The generator of a `description`, around the net `mlp`; it draws from `rng`."""
    arguments = {**description, "mlp": mlp, "rng": rng}
    kind = arguments.pop("kind", "Generator")
    if kind not in GENERATORS:
        raise ValueError(f"a generator {kind}, none of {', '.join(GENERATORS)}; add its class to "
                         "npgan.checkpoint.description.GENERATORS")
    return GENERATORS[kind](**arguments)


class Saved(RandomStream):
    """Stands for the stream that draws weights: hands out those of a saved `theta`, and no more than there are."""

    def __init__(self, theta):
        self.theta, self.left, self.layers, self.width, self.numbers = theta, theta.size, 0, 0, 0

    def uniform(self, low, high, shape):
        """The next of them, an array of `shape`, whatever `low` and `high` say."""
        size = math.prod(shape)
        W, self.theta = self.theta[:size], self.theta[size:]
        return backend.asarray(W).reshape(shape)

    def count(self, layer):
        """
        Refuse a `layer` with more parameters, biases too, than are left of theta, or after a thousand others.

        And one with which the net has more numbers for one example, between layers or within, than
        `count_numbers` allows.
        """
        self.width = layer.dim or self.width
        self.numbers += max(self.width, getattr(layer, "largest", 0))
        count_numbers((self.numbers,))
        self.left, self.layers = self.left - sum(p.size for p in layer.params), self.layers + 1
        if self.left < 0 or self.layers > 1000:
            raise ValueError(f"layers with more parameters than are saved, or more than {self.layers - 1} of them")


def settings(part):
    """
    The class of a `part` of the run, and its numbers and strings but those that change in training.

    Nor its `free_names`, on which training does not depend and in which a run that goes on may differ.
    """
    others = *getattr(part, "state_names", ()), *getattr(part, "free_names", ())
    return {"kind": type(part).__name__,
            **{name: value for name, value in vars(part).items()
               if isinstance(value, (int, float, str, np.generic)) and name not in others}}


def difference(there, here, where=""):
    """The first place, below `where`, at which JSON values `there` and `here` differ, with both; None if none does."""
    if isinstance(there, dict) and isinstance(here, dict):
        inner = ((there.get(key), here.get(key), f"{where}.{key}".lstrip(".")) for key in {**there, **here})
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        inner = ((*both, f"{where}[{i}]") for i, both in enumerate(zip(there, here)))
    else:
        return None if there == here else (where, there, here)
    return next(filter(None, (difference(*each) for each in inner)), None)
