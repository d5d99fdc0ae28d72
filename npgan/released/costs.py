"""The further costs of the released code, each beside its gradient, as functions of D's logit a."""
import math

from npgan.backend import xp
from npgan.checks import check_finite_number
from npgan.costs import NonSaturating, Saturating, check_target, cross_entropy, cross_entropy_grad, softplus
from npgan.layers import sigmoid


class Blend:
    """
    The authors' ``blend_obj``: C = (zeta C_1 + mu C_2 / 2) / (zeta + mu), of C_1 = -log D and C_2 = log(1 - D).

    The half is that of D's objective (released code), whose negative is the second term; what of it does not depend on
    G is left out.

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
        """The cost of the samples' logits `a` (m, 1), in nats: a 0-d array."""
        return self.weights[0] * NonSaturating().cost(a) + self.weights[1] * Saturating().cost(a)

    def grad(self, a):
        """dC/da, an array like `a`."""
        return self.weights[0] * NonSaturating().grad(a) + self.weights[1] * Saturating().grad(a)


class CrossEntropy:
    """
    D's objective in the released code, C = -V/2: the mean cross-entropy of m data rows and, below them, m samples.

    With a1 the logits of data and a0 those of samples (released code, ``d_obj``)

        C = (mean sp(-a1) + mean sp(a0)) / 2        dC/da1 = -sigmoid(-a1)/(2m)        dC/da0 = sigmoid(a0)/(2m)
    """

    def cost(self, a):
        """The cost of the logits `a` (2m, 1), in nats: a 0-d array."""
        m = rows_of_each(a)
        return (cross_entropy(a[:m], 1) + cross_entropy(a[m:], 0)) / 2

    def grad(self, a):
        """dC/da, an array like `a`."""
        m = rows_of_each(a)
        return xp.concatenate([cross_entropy_grad(a[:m], 1), cross_entropy_grad(a[m:], 0)]) / 2


class Thresholded:
    """
    -log D(G(z)) of those samples alone that D does not yet take for data (released code, ``ThresholdedAdversaryCost``).

        C = mean sp(-a) [sigmoid(a') < 1/2 + g_eps]        dC/da = -sigmoid(-a)/m [sigmoid(a') < 1/2 + g_eps]

    The mean is over all m samples.  Who is masked out is decided by the logits a' of the pass with dropout, even where
    the cost is that of another pass, and does not move with a.  It helps where G goes on improving samples that fool D
    already, at the expense of others.

    Parameters
    ----------
    g_eps : float in [0, 1/2]
        How far beyond 1/2 a sample goes on learning; 0 in ``ThresholdedAdversaryCost``, a setting of
        ``LazyAdversaryCost``.  With 1/2 nothing is masked, as in `NonSaturating`.
    """

    argument_names = "g_eps",

    def __init__(self, g_eps=0.):
        self.g_eps = margin_of_doubt("g_eps", g_eps)

    def mask(self, a):
        """Which of the samples' logits `a` (m, 1) count: a boolean array like it."""
        return doubtful(-a, self.g_eps)

    def cost(self, a, mask=None):
        """The cost of the samples' logits `a` (m, 1), in nats, with a `mask` or else their own: a 0-d array."""
        check_target(a, 1)
        return (softplus(-a) * (self.mask(a) if mask is None else mask)).mean()

    def grad(self, a, mask=None):
        """dC/da, an array like `a`, with the `mask` that `cost` had."""
        return cross_entropy_grad(a, 1) * (self.mask(a) if mask is None else mask)


class Lazy(CrossEntropy):
    """
    D's objective without the rows of which D is right and sure (released code, ``LazyAdversaryCost``).

        C = (mean sp(-a1) [D(x) < 1/2 + d_eps] + mean sp(a0) [D(G(z)) > 1/2 - d_eps]) / 2

    Both means are over all m rows; the masks do not move with a.  G's part of that cost is `Thresholded`.  It helps
    where D is far ahead: D stops there, in place of growing ever surer, and G's gradient lives on.

    Parameters
    ----------
    d_eps : float in [0, 1/2]
        How sure D has to be, beyond 1/2; with 1/2 nothing is masked.
    """

    argument_names = "d_eps",

    def __init__(self, d_eps=0.):
        self.d_eps = margin_of_doubt("d_eps", d_eps)

    def mask(self, a):
        """Which of the logits `a` (2m, 1) count: a boolean array like it."""
        m = rows_of_each(a)
        return xp.concatenate([doubtful(-a[:m], self.d_eps), doubtful(a[m:], self.d_eps)])

    def cost(self, a):
        """The cost of the logits `a` (2m, 1), in nats: a 0-d array."""
        check_target(a, 1)
        m = rows_of_each(a)
        return (xp.concatenate([softplus(-a[:m]), softplus(a[m:])]) * self.mask(a)).mean()

    def grad(self, a):
        """dC/da, an array like `a`."""
        return super().grad(a) * self.mask(a)


def rows_of_each(a):
    """m, for the logits `a` (2m, 1) of m data rows and m samples."""
    if len(a) % 2:
        raise ValueError(f"D's objective takes as many samples as data rows, got {len(a)} logits in all")
    return len(a) // 2


def margin_of_doubt(name, eps):
    """The argument `name`, a number `eps` in [0, 1/2], as a float."""
    if not 0 <= eps <= .5:
        raise ValueError(f"{name} must be in [0, 1/2], got {eps}")
    return float(eps)


def doubtful(wrong, eps):
    """Where the probability of a wrong answer, of logit `wrong`, is more than 1/2 - `eps`: a boolean array like it."""
    return sigmoid(wrong) > .5 - eps
