"""
Noise within G, above the bottommost layer, where the paper's experiments have all of theirs.

"Our theoretical framework permits the use of dropout and other noise at intermediate layers of the generator"
(Section 5).  These layers draw anew on every forward pass, when G trains and when it samples: what they draw is a part
of p_g, as z is.  Given the noise each is affine in its input s.
"""
from npgan.backend import check_stream, xp
from npgan.checks import check_positive_ints, check_positive_number
from npgan.layer import Layer
from npgan.layers import Dropout


class NoiseCat(Layer):
    """
    More coordinates of noise beside the units below: h = [s, tau e], e ~ N(0, I), so dC/ds is dC/dh's part at s.

    It helps where z is narrow, or is to act at several scales: the layers above get chance of their own, which those
    below need not carry.

    Parameters
    ----------
    nvis, new_dim : int
        Units below, and coordinates to add; the layer has nvis + new_dim units.
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
    Each unit pushed up or down by c: h = s + c r, r = +1 or -1 with probability 1/2 each, so dC/ds = dC/dh.

    It makes each sample one of many copies, 2c apart in each unit.  It helps where the data fall into clusters: a
    threshold above tells the copies apart, which a smooth map of z can only do by growing steep.

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
    Dropout at all times, also when G samples: the masks are noise of G and a part of p_g.

    The authors' ``IntrinsicDropoutGenerator`` as a layer.  `Dropout` in G would do nothing, as G trains and samples by
    the plain pass.  It helps against collapse: neighbouring z cannot give one sample.
    """

    def fprop(self, state_below):
        return super().fprop(state_below) if self.include_prob == 1 else self.dropout_fprop(state_below)
