"""
The costs of the two players, each beside its gradient, as functions of D's logit a.

D(x) = sigmoid(a), and with the softplus sp(a) = log(1 + e^a)

    -log D = sp(-a)         -log(1 - D) = sp(a)         sp'(a) = sigmoid(a) = 1 - sigmoid(-a)

so no cost takes the log of a rounded probability: log(1 - D) is -inf once D rounds to 1, sp(a) stays finite.
"""

from npgan.backend import xp
from npgan.layers import sigmoid


def softplus(a):
    """log(1 + e^a) elementwise, = max(a, 0) + log(1 + e^-|a|), which neither overflows nor loses small values."""
    return xp.maximum(a, 0) + xp.log1p(xp.exp(-xp.abs(a)))


def check_target(h, target):
    """Refuse no rows at all, and a `target` that is neither a number nor an array like `h`: it would broadcast."""
    if not h.size:
        raise ValueError(f"a cost is a mean over one or more rows, got shape {h.shape}")
    shape = getattr(target, "shape", (len(target),) if hasattr(target, "__len__") else ())
    if shape not in ((), h.shape):
        raise ValueError(f"the target must be a number or of shape {h.shape}, got shape {shape}")
    if getattr(target, "dtype", h.dtype) != h.dtype:
        raise TypeError(f"the target must be of {h.dtype}, got {target.dtype}; convert it with npgan.backend.asarray")


def cross_entropy(a, y):
    """
    Mean over the rows of y sp(-a) + (1 - y) sp(a), in nats: the cost of the probability sigmoid(a) for the label y.

    Parameters
    ----------
    a : array (m, 1)
        Logits.
    y : array (m, 1) or number, in [0, 1]
        Labels: 1 for data, 0 for samples.

    Returns
    -------
    0-d array
    """
    check_target(a, y)
    return (y * softplus(-a) + (1 - y) * softplus(a)).mean()


def cross_entropy_grad(a, y):
    """dC/da of `cross_entropy`, (sigmoid(a) - y)/m, written so that neither label cancels: an array like `a`."""
    check_target(a, y)
    return ((1 - y) * sigmoid(a) - y * sigmoid(-a)) / a.size


def squared_error(h, target):
    """
    Squared error of the outputs `h` (m, n), summed over outputs and averaged over rows, without a half: a 0-d array.

    The authors' cost of linear outputs; `target` is an array like h.
    """
    check_target(h, target)
    return xp.square(h - target).sum() / len(h)


def squared_error_grad(h, target):
    """dC/dh of `squared_error`, 2 (h - target)/m: an array like `h` and `target`."""
    check_target(h, target)
    return (h - target) * (2 / len(h))


class NonSaturating:
    """-log D(G(z)), Section 3's loss for G: C = mean sp(-a), dC/da = -sigmoid(-a)/m, which lives on as D(G(z)) -> 0."""

    def cost(self, a):
        """The cost of the samples' logits `a` (m, 1), in nats: a 0-d array."""
        return cross_entropy(a, 1)

    def grad(self, a):
        """dC/da, an array like `a`."""
        return cross_entropy_grad(a, 1)


class Saturating:
    """log(1 - D(G(z))), eq. 1's loss for G: C = -mean sp(a), dC/da = -sigmoid(a)/m, which vanishes as D(G(z)) -> 0."""

    def cost(self, a):
        """The cost of the samples' logits `a` (m, 1), in nats: a 0-d array."""
        return -cross_entropy(a, 0)

    def grad(self, a):
        """dC/da, an array like `a`."""
        return -cross_entropy_grad(a, 0)
