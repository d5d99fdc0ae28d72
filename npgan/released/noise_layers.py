"""
Noise at intermediate layers of G; the paper's experiments have noise at the bottommost layer only.

"Our theoretical framework permits the use of dropout and other noise at intermediate layers of the generator"
(Section 5).  These layers draw new noise in every forward pass, when G trains and when it samples: their noise belongs
to p_g, as z does.  For given noise each layer is affine in its input s.
"""
from npgan.backend import check_stream, xp
from npgan.checks import check_positive_ints, check_positive_number
from npgan.layer import Layer
from npgan.layers import Dropout


class NoiseCat(Layer):
    """
    Coordinates of noise beside the units below: h = [s, tau e], e ~ N(0, I), so dC/ds is dC/dh's part at s.

    It helps if z has few coordinates, or if noise should act at several scales: the layers above get noise that the
    layers below need not pass on.

    Parameters
    ----------
    nvis, new_dim : int
        The units below and the coordinates to add; the layer has nvis + new_dim units.
    std : float, > 0
        tau.
    rng : RandomStream
        Draws the noise.
    """

    argument_names = ("nvis", "new_dim", "std")

    def __init__(self, nvis, new_dim, std=1., rng=None):
        check_positive_ints(nvis=nvis, new_dim=new_dim)
        self.std, self.rng = check_positive_number("std", std), rng
        check_stream(rng)
        self.nvis, self.new_dim, self.dim = nvis, new_dim, nvis + new_dim

    @property
    def streams(self):
        return [self.rng]

    def fprop(self, state_below):                                   # (m, nvis) -> (m, nvis + new_dim)
        self.check_input(state_below)
        noise = self.std * self.rng.normal((len(state_below), self.new_dim))
        return self.remember(xp.concatenate([state_below, noise.astype(state_below.dtype)], axis=1))

    def bprop(self, dh, params=True, inputs=True):
        self.recall(dh)
        if inputs:
            return dh[:, :self.nvis].copy()


class Clusterize(Layer):
    """
    Moves each unit up or down by c: h = s + c r, r = +1 or -1 with probability 1/2 each, so dC/ds = dC/dh.

    Each sample becomes one of many copies, 2c apart in each unit.  It helps if the data form clusters: a threshold in
    a layer above separates the copies, for which a smooth map of z would have to be steep.

    Parameters
    ----------
    scale : float, > 0
        c.
    rng : RandomStream
        Draws the signs.
    """

    argument_names = ("scale",)

    def __init__(self, scale, rng=None):
        self.scale, self.rng = check_positive_number("scale", scale), rng
        check_stream(rng)

    @property
    def streams(self):
        return [self.rng]

    def fprop(self, state_below):
        up = self.rng.mask(.5, state_below.shape).astype(state_below.dtype)
        return self.remember(state_below + self.scale * (2 * up - 1))

    def bprop(self, dh, params=True, inputs=True):
        self.recall(dh)
        if inputs:
            return dh


class IntrinsicDropout(Dropout):
    """
    Dropout in the plain pass too, so also when G samples: the masks are noise of G and belong to p_g.

    The authors' ``IntrinsicDropoutGenerator`` as a layer.  `Dropout` has no effect in G, because G trains and samples
    by the plain pass.  It helps against collapse, because one z has many samples.
    """

    def fprop(self, state_below):
        return super().fprop(state_below) if self.include_prob == 1 else self.dropout_fprop(state_below)
