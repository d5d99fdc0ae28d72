"""The other costs of the released code, each with its gradient, as functions of D's logit a."""
import math

from npgan.backend import xp
from npgan.checks import check_finite_number
from npgan.costs import NonSaturating, Saturating, check_target, cross_entropy, cross_entropy_grad, softplus
from npgan.layers import sigmoid


class Blend:
    """
    A weighted mean of the two losses of G, the authors' ``blend_obj``: C = (zeta C_1 + mu C_2 / 2) / (zeta + mu).

    C_1 = -log D and C_2 = log(1 - D).  The second term is the negative of D's objective in the released code, which is
    a mean of two terms; hence the 1/2.  Its other term does not depend on G and is left out.

    Parameters
    ----------
    zurich_coeff, minimax_coeff : float, >= 0
        zeta and mu; not both 0.
    """

    argument_names = "zurich_coeff", "minimax_coeff"

    def __init__(self, zurich_coeff=1., minimax_coeff=1.):
        zeta = float(check_finite_number("zurich_coeff", zurich_coeff))
        mu = float(check_finite_number("minimax_coeff", minimax_coeff))
        if min(zeta, mu) < 0 or not 0 < zeta + mu < math.inf:
            raise ValueError("zurich_coeff and minimax_coeff must be >= 0 and not both 0, nor their sum infinite, "
                             f"got {zurich_coeff} and {minimax_coeff}")
        self.zurich_coeff, self.minimax_coeff = zeta, mu
        self.weights = zeta / (zeta + mu), mu / (2 * (zeta + mu))

    def cost(self, a):
        """Return the cost of the samples' logits `a` (m, 1), in nats: a 0-d array."""
        return self.weights[0] * NonSaturating().cost(a) + self.weights[1] * Saturating().cost(a)

    def grad(self, a):
        """Return dC/da, an array like `a`."""
        return self.weights[0] * NonSaturating().grad(a) + self.weights[1] * Saturating().grad(a)


class CrossEntropy:
    """
    D's objective in the released code, C = -V/2: the mean cross-entropy of m data rows, followed by m samples.

    With a1 the logits of data and a0 those of samples (released code, ``d_obj``)

        C = (mean sp(-a1) + mean sp(a0)) / 2        dC/da1 = -sigmoid(-a1)/(2m)        dC/da0 = sigmoid(a0)/(2m)
    """

    def cost(self, a):
        """Return the cost of the logits `a` (2m, 1), in nats: a 0-d array."""
        m = rows_of_each(a)
        return (cross_entropy(a[:m], 1) + cross_entropy(a[m:], 0)) / 2

    def grad(self, a):
        """Return dC/da, an array like `a`."""
        m = rows_of_each(a)
        return xp.concatenate([cross_entropy_grad(a[:m], 1), cross_entropy_grad(a[m:], 0)]) / 2


class Thresholded:
    """
    -log D(G(z)), only of samples that D does not take for data yet (released code, ``ThresholdedAdversaryCost``).

        C = mean sp(-a) [sigmoid(a') < 1/2 + g_eps]        dC/da = -sigmoid(-a)/m [sigmoid(a') < 1/2 + g_eps]

    The mean is over all m samples.  The mask depends on the logits a' of the pass with dropout, even if a comes from
    another pass, and is a constant in the derivative.  It helps if G keeps improving samples that already fool D, and
    neglects others.

    Parameters
    ----------
    g_eps : float in [0, 1/2]
        Samples with D(G(z)) below 1/2 + g_eps count.  It is 0 in ``ThresholdedAdversaryCost`` and a setting of
        ``LazyAdversaryCost``; with 1/2 all samples count, as in `NonSaturating`.
    """

    argument_names = "g_eps",

    def __init__(self, g_eps=0.):
        self.g_eps = checked_margin("g_eps", g_eps)

    def mask(self, a):
        """Return which of the samples' logits `a` (m, 1) count: a boolean array like it."""
        return is_doubtful(-a, self.g_eps)

    def cost(self, a, mask=None):
        """Return the cost of the samples' logits `a` (m, 1), in nats, by default with their own `mask`: a 0-d array."""
        check_target(a, 1)
        return (softplus(-a) * (self.mask(a) if mask is None else mask)).mean()

    def grad(self, a, mask=None):
        """Return dC/da, an array like `a`, with the same `mask` as in `cost`."""
        return cross_entropy_grad(a, 1) * (self.mask(a) if mask is None else mask)


class Lazy(CrossEntropy):
    """
    D's objective without the rows on which D is right by a margin (released code, ``LazyAdversaryCost``).

        C = (mean sp(-a1) [D(x) < 1/2 + d_eps] + mean sp(a0) [D(G(z)) > 1/2 - d_eps]) / 2

    Both means are over all m rows; the masks are constants in the derivative.  G's part of that cost is `Thresholded`.
    It helps if D is far ahead: D stops learning on those rows, so that G's gradient does not vanish.

    Parameters
    ----------
    d_eps : float in [0, 1/2]
        The margin: D must be above 1/2 + d_eps on data, or below 1/2 - d_eps on samples; with 1/2 all rows count.
    """

    argument_names = "d_eps",

    def __init__(self, d_eps=0.):
        self.d_eps = checked_margin("d_eps", d_eps)

    def mask(self, a):
        """Return which of the logits `a` (2m, 1) count: a boolean array like it."""
        m = rows_of_each(a)
        return xp.concatenate([is_doubtful(-a[:m], self.d_eps), is_doubtful(a[m:], self.d_eps)])

    def cost(self, a):
        """Return the cost of the logits `a` (2m, 1), in nats: a 0-d array."""
        check_target(a, 1)
        m = rows_of_each(a)
        return (xp.concatenate([softplus(-a[:m]), softplus(a[m:])]) * self.mask(a)).mean()

    def grad(self, a):
        """Return dC/da, an array like `a`."""
        return super().grad(a) * self.mask(a)


def rows_of_each(a):
    """Return m, for the logits `a` (2m, 1) of m data rows and m samples."""
    if len(a) % 2:
        raise ValueError(f"D's objective takes as many samples as data rows, got an odd number of logits, {len(a)}")
    return len(a) // 2


def checked_margin(name, eps):
    """Return `eps` as a float; raise ValueError, with its `name`, unless it is in [0, 1/2]."""
    if not 0 <= eps <= .5:
        raise ValueError(f"{name} must be in [0, 1/2], got {eps}")
    return float(eps)


def is_doubtful(wrong, eps):
    """Return where D's probability of a wrong answer, of logit `wrong`, exceeds 1/2 - `eps`: a boolean array."""
    return sigmoid(wrong) > .5 - eps
