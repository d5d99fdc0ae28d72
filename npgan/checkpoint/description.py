"""
Nets and the parts of runs as checkpoints describe them, in JSON: the class, and the arguments of the constructor.

`describe` lists the arguments that a class names in its `argument_names`; `build` makes a net of such a description.
"""
import inspect
import json
import math
from contextlib import contextmanager

from npgan import backend
from npgan.backend import xp
from npgan.checkpoint.archive import plain_number
from npgan.generator import Generator
from npgan.layer import Layer
from npgan.mlp import MLP
from npgan.registry import find_class

STARTING = "irange", "istdev", "sparse_init", "sparse_stdev", "init_bias", "rng", "cond_rng"    # where parameters start
DEPTH = 11                                      # of nets within nets, at most
LAYERS, NUMBERS = 1000, 2**25                   # of a net, and what all its layers make for one example, at most


def describe(part, names=()):
    """
    Return the class of `part` and the arguments that its `argument_names` list, in JSON's terms: a dict.

    An argument that is among the parts of a run is described by its name alone; `names` has these names by the parts'
    identities.
    """
    def describe_argument(argument):
        if id(argument) in names:
            return names[id(argument)]
        return plain_number(argument) if hasattr(argument, "ndim") else list_arguments(argument)

    return json.loads(json.dumps(list_arguments(part), default=describe_argument))


def list_arguments(part):
    """Return the class and the identifying arguments of `part`; raise TypeError for nets that `build` cannot make."""
    if isinstance(part, Layer):
        check_constructor(part, STARTING)
    arguments = {name: getattr(part, name) for name in getattr(part, "argument_names", ())}
    if isinstance(part, Generator):
        check_constructor(part, ("mlp", "noise", "rng"))
        arguments.update(mlp=part.mlp, noise=part.prior)
    return {"kind": type(part).__name__, **arguments}


def check_constructor(part, others):
    """Raise TypeError unless `build` can find the class of `part` and all its constructor's arguments but `others`."""
    kind = type(part)
    registered = find_class(kind.__name__)
    if registered.__module__ != kind.__module__:
        raise TypeError(f"cannot save {part!r}: the name of its class is that of {kind.__name__} in "
                        f"{registered.__module__}; rename the class")
    unlisted = [name for name, parameter in inspect.signature(kind).parameters.items()
                if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
                and name not in (*part.argument_names, *others)]
    if unlisted:
        raise TypeError(f"cannot save {part!r}: its constructor takes {', '.join(unlisted)}; keep each as an attribute "
                        f"and list its name in {kind.__name__}.argument_names")


def build_generator(description, theta, rng):
    """Return the generator of a `description`, with the parameters `theta`; it draws from `rng`."""
    arguments = {"kind": "Generator", **description}        # the generator that comes with npgan is without a kind
    kind = find_class(arguments.pop("kind"))
    return kind(**{**arguments, "mlp": build(arguments["mlp"], theta, rng), "rng": rng})


def build(description, theta, rng):
    """
    Return the net of a `description`, with the parameters `theta`; its layers draw masks and noise from `rng`.

    A forged file may describe a net of any size.  Its sizes are therefore compared with the limits of this room, and
    its parameters with `theta`, before memory is written to.
    """
    left = {"parameters": theta.size, "layers": LAYERS, "numbers": NUMBERS, "width": 0}
    with drawing_zeros(rng, theta.size):
        net = build_layer(description, rng, left)
    net.theta[...] = backend.asarray(theta).reshape(net.theta.shape)
    return net


def build_layer(description, rng, left, depth=0):
    """
    Return the layer of a `description`, `depth` nets deep, which draws from `rng`.

    Its sizes are subtracted from those that are `left`, as `take_sizes` does.
    """
    arguments = dict(description)
    kind = find_class(arguments.pop("kind"))
    if not issubclass(kind, Layer):
        raise ValueError(f"{kind.__name__} in place of a layer")
    if depth > DEPTH:
        raise ValueError(f"nets within nets, more than {DEPTH} deep")
    if kind is MLP:
        return MLP([build_layer(layer, rng, left, depth + 1) for layer in arguments["layers"]])
    parameters = inspect.signature(kind).parameters
    start = {"irange": 0., "rng": rng}
    layer = kind(**arguments, **{name: start[name] for name in start if name in parameters})
    take_sizes(layer, left)
    return layer


def take_sizes(layer, left):
    """Subtract the sizes of a `layer` from those that are `left`; raise ValueError if it is too large."""
    left["width"] = layer.dim or left["width"]
    left["numbers"] -= max(layer.nvis or 0, left["width"], getattr(layer, "largest", 0))
    left["parameters"] -= sum(param.size for param in layer.params)
    left["layers"] -= 1
    if min(left.values()) < 0:
        raise ValueError(f"a net with more parameters than the file, more than {LAYERS} layers, or more than "
                         f"{NUMBERS} numbers for one example")


@contextmanager
def drawing_zeros(rng, limit):
    """Within the block the stream `rng` draws zeros, at most `limit` at a time, and does not move."""
    def zeros(*arguments):
        if math.prod(arguments[-1]) > limit:
            raise ValueError("a layer with more weights than the file")
        return xp.zeros(arguments[-1], backend.floatX)

    rng.uniform = rng.normal = zeros
    try:
        yield
    finally:
        del rng.uniform, rng.normal
