"""
The costs of the two players, each beside its gradient, as functions of D's logit a.

D(x) = sigmoid(a), and with the softplus sp(a) = log(1 + e^a)

    -log D = sp(-a)         -log(1 - D) = sp(a)         sp'(a) = sigmoid(a) = 1 - sigmoid(-a)

Thus no cost takes the log of a rounded probability: log(1 - D) is -inf once D rounds to 1, while sp(a) stays finite.
"""
from npgan.backend import xp
from npgan.layers import sigmoid


def softplus(a):
    """Return log(1 + e^a) elementwise, as max(a, 0) + log(1 + e^-|a|): no overflow, and small values stay exact."""
    return xp.maximum(a, 0) + xp.log1p(xp.exp(-xp.abs(a)))


def check_target(h, target):
    """Raise an error unless `h` has rows and `target` is a number or an array like `h` (others would broadcast)."""
    if not h.size:
        raise ValueError(f"a cost is a mean over one or more rows, got shape {h.shape}")
    shape = getattr(target, "shape", (len(target),) if hasattr(target, "__len__") else ())
    if shape not in ((), h.shape):
        raise ValueError(f"the target must be a number or of shape {h.shape}, got shape {shape}")
    if getattr(target, "dtype", h.dtype) != h.dtype:
        raise TypeError(f"the target must be of {h.dtype}, got {target.dtype}; convert it with npgan.backend.asarray")


def cross_entropy(a, y):
    """
    Return the mean over the rows of y sp(-a) + (1 - y) sp(a), in nats.

    This is the cross-entropy of the label y and the probability sigmoid(a).

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
    """
    Return dC/da of `cross_entropy`, (sigmoid(a) - y)/m, an array like `a`.

    Written as (1 - y) sigmoid(a) - y sigmoid(-a), because sigmoid(a) - 1 would round to 0 for large a.
    """
    check_target(a, y)
    return ((1 - y) * sigmoid(a) - y * sigmoid(-a)) / a.size


def squared_error(h, target):
    """
    Return the squared error of `h` (m, n), summed over the n outputs and averaged over the m rows: a 0-d array.

    There is no factor 1/2.  It is the authors' cost of linear outputs; `target` is an array like h.
    """
    check_target(h, target)
    return xp.square(h - target).sum() / len(h)


def squared_error_grad(h, target):
    """Return dC/dh of `squared_error`, 2 (h - target)/m: an array like `h` and `target`."""
    check_target(h, target)
    return (h - target) * (2 / len(h))


class NonSaturating:
    """
    -log D(G(z)), the loss for G that Section 3 advises: C = mean sp(-a).

    dC/da = -sigmoid(-a)/m tends to -1/m where D(G(z)) -> 0: G still learns from samples that D rejects.
    """

    def cost(self, a):
        """Return C in nats, a 0-d array, for the samples' logits `a` (m, 1)."""
        return cross_entropy(a, 1)

    def grad(self, a):
        """Return dC/da, an array like `a`."""
        return cross_entropy_grad(a, 1)


class Saturating:
    """
    log(1 - D(G(z))), the loss for G of eq. 1: C = -mean sp(a).

    dC/da = -sigmoid(a)/m vanishes where D(G(z)) -> 0: G learns next to nothing from samples that D rejects.
    """

    def cost(self, a):
        """Return C in nats, a 0-d array, for the samples' logits `a` (m, 1)."""
        return -cross_entropy(a, 0)

    def grad(self, a):
        """Return dC/da, an array like `a`."""
        return -cross_entropy_grad(a, 0)
