"""The classes of layers and generators by name: a checkpoint keeps the names, and finds the classes again by them."""
from importlib import import_module

OWN = {                                             # npgan's own, with their modules, which are imported when needed
    "Linear": "npgan.layers", "RectifiedLinear": "npgan.layers", "Sigmoid": "npgan.layers", "Maxout": "npgan.layers",
    "Dropout": "npgan.layers",
    "MaxoutConv": "npgan.conv", "Deconv": "npgan.conv", "Transpose": "npgan.transpose",
    "MLP": "npgan.mlp",
    "Generator": "npgan.generator",
    "NoiseCat": "npgan.released.noise_layers", "Clusterize": "npgan.released.noise_layers",
    "IntrinsicDropout": "npgan.released.noise_layers",
    "Conditional": "npgan.section7.conditional", "ConditionalRectifiedLinear": "npgan.section7.conditional",
    "ConditionalMaxout": "npgan.section7.conditional", "ConditionalDropout": "npgan.section7.conditional",
    "ConditionalGenerator": "npgan.section7.conditional",
    "CompletingGenerator": "npgan.section7.completion",
}
OTHERS = {}                                         # those defined elsewhere, by `register`


def register(cls):
    """
    Record `cls`, a class of layers or generators, under its name, unless npgan has a class of that name.

    `Layer` and `Generator` call it for each subclass when it is defined.  A later class of the same name replaces an
    earlier one, as a notebook's cell does that is run again.
    """
    if cls.__name__ not in OWN:
        OTHERS[cls.__name__] = cls


def find_class(name):
    """Return the class of layers or generators called `name`; raise ValueError if it has not been defined."""
    if name in OWN:
        return getattr(import_module(OWN[name]), name)
    if name not in OTHERS:
        raise ValueError(f"the class {name}, which is not defined here: import its module first")
    return OTHERS[name]
