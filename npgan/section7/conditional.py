"""
Conditional games (Section 7, extension 1): both players are given c, and G learns p(x | c).

A game over rows (x, c) side by side, in which G makes x and copies c, is the paper's with p_data(x, c) for the data and
p_data(c) p_g(x | c) for the samples: its optimum is p_g(x | c) = p_data(x | c) for every c that comes up.

    [x | c], [z | c] = G.with_noise([x | c])        G.fprop([z | c]) = [G(z, c) | c]

Layers that see c take it as the last `ncond` of their inputs; the first of G and the first of D do, others need not.
"""
from copy import copy

from npgan import backend
from npgan.adversarial import Generator
from npgan.backend import xp
from npgan.checks import check_positive_ints
from npgan.initialisation import initial_weights
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear


def split(rows, ncond):
    """The rows (m, n) [s | c] in two, s (m, n - ncond) and c (m, ncond), as views."""
    n = rows.shape[1] - ncond
    if n < 1:
        raise ValueError(f"rows that end in {ncond} numbers of c have more than those, got shape {rows.shape}")
    return rows[:, :n], rows[:, n:]


def one_hot(y, num_classes=10):
    """
    Labels as the condition of a game: a row for each, 1 at its class and 0 elsewhere.

    Parameters
    ----------
    y : array_like of int (m,), in 0 .. num_classes - 1
    num_classes : int

    Returns
    -------
    backend array (m, num_classes) of floatX
    """
    y = backend.asarray(y, int, name="labels")
    if y.ndim != 1 or not y.size or not 0 <= y.min() <= y.max() < num_classes:
        found = f"{y.min()} to {y.max()}" if y.size else f"shape {y.shape}"
        raise ValueError(f"labels must be a list of whole numbers from 0 to {num_classes - 1}, got {found}")
    return backend.asarray(y[:, None] == xp.arange(num_classes))


class Conditional(Linear):
    """
    An affine map that also sees c: z = s W + c V + b, of a row [s | c].

    To the units c V is a further bias, which differs from row to row; with c = 0 they are those of the layer without c,
    to the bit, in training as well.  Derived as in `Linear`,

        dV = c^T dz         dc = dz V^T

    A layer of another kind takes this one's place above `Linear`: ``class ConditionalMaxout(Maxout, Conditional)``.

    Parameters
    ----------
    nvis, dim, irange, rng, **initialisation
        As in `Linear`; nvis counts c.
    ncond : int
        The inputs of c, the last of the nvis; W is (nvis - ncond, dim), V is (ncond, dim).
    cond_rng : RandomStream, optional
        Draws V, in the way that W is drawn; `rng` unless given.
    """

    param_names = ("W", "b", "V")
    argument_names = Linear.argument_names + ("ncond",)

    def __init__(self, nvis, dim, irange=None, rng=None, *, ncond, cond_rng=None, **initialisation):
        check_positive_ints(ncond=ncond)
        if not ncond < nvis:
            raise ValueError(f"ncond counts inputs that are a condition, and must be below nvis = {nvis}, got {ncond}")
        super().__init__(nvis - ncond, dim, irange, rng, **initialisation)
        self.nvis, self.ncond = nvis, ncond
        way = {name: initialisation[name] for name in ("istdev", "sparse_stdev") if name in initialisation}
        if initialisation.get("sparse_init"):
            way["sparse_init"] = min(ncond, initialisation["sparse_init"])
        self.V = initial_weights(ncond, dim, cond_rng or rng, irange, **way)
        self.dV = xp.zeros_like(self.V)

    def fprop(self, state_below):                                   # (m, nvis) -> (m, dim)
        self.check_input(state_below)
        s, c = (xp.ascontiguousarray(part) for part in split(state_below, self.ncond))
        z = xp.matmul(s, self.W)
        z += self.b
        z += xp.matmul(c, self.V)
        return self.remember(z, s, c)

    def bprop(self, dz, params=True, inputs=True):                  # (m, dim) -> (m, nvis)
        s, c = self.recall(dz)
        self._kept = s,                                             # for Linear's turn, which answers for s
        ds = super().bprop(dz, params, inputs)
        if params:
            xp.matmul(c.T, dz, out=self.dV)
        if inputs is not False:
            return xp.concatenate([ds, xp.matmul(dz, self.V.T)], axis=1)


class ConditionalRectifiedLinear(RectifiedLinear, Conditional):
    """h = max(0, s W + c V + b), see `Conditional`."""

    argument_names = RectifiedLinear.argument_names + ("ncond",)


class ConditionalMaxout(Maxout, Conditional):
    """`Maxout` of s W + c V + b, see `Conditional`."""

    argument_names = Maxout.argument_names + ("ncond",)


class ConditionalDropout(Dropout):
    """`Dropout` of all inputs but the last `ncond`: what is given stays given."""

    argument_names = Dropout.argument_names + ("ncond",)

    def __init__(self, include_prob, scale=None, rng=None, *, ncond):
        super().__init__(include_prob, scale, rng)
        check_positive_ints(ncond=ncond)
        self.ncond = ncond

    def dropout_fprop(self, state_below):
        if self.include_prob == 1:
            return self.fprop(state_below)
        s, c = split(state_below, self.ncond)
        s = super().dropout_fprop(s)
        factor, = self._kept
        return self.remember(xp.concatenate([s, c], axis=1), xp.concatenate([factor, xp.ones_like(c)], axis=1))


class ConditionalGenerator(Generator):
    """
    G(z, c), a sampler of p_g(x | c): the conditional model of Section 7, extension 1.

    Data rows are [x | c], such as pictures and their `one_hot` labels.  Samples get the c of the data rows that they
    stand beside, and D judges [x | c] as well.

    Parameters
    ----------
    mlp : MLP
        From [z | c] to x.
    ncond : int
        The numbers in c.
    noise, rng
        As in `Generator`.
    """

    argument_names = ("ncond",)

    def __init__(self, mlp, ncond, noise="uniform", rng=None):
        super().__init__(mlp, noise, rng)
        check_positive_ints(ncond=ncond)
        if not ncond < mlp.nvis:
            raise ValueError(f"G takes z and c, {mlp.nvis} numbers in all, which {ncond} of c leave no room for z")
        self.ncond = ncond

    @property
    def nz(self):
        return self.mlp.nvis - self.ncond

    @property
    def data_dim(self):
        return self.mlp.dim + self.ncond

    dim = data_dim

    def with_noise(self, x):
        """Return the rows `x`, [x | c], and [z | c] with their c, an array (m, nz + ncond)."""
        return x, xp.concatenate([self.noise(len(x)), split(x, self.ncond)[1]], axis=1)

    def fprop(self, z):
        return xp.concatenate([self.mlp.fprop(z), split(z, self.ncond)[1]], axis=1)

    def bprop(self, dx, params=True, inputs=True):
        """As `Generator.bprop`, from `dx`, dC/d[G(z, c) | c]; with `params`, and with the slopes of c if `inputs`."""
        dx, dc = split(dx, self.ncond)
        dz = self.mlp.bprop(xp.ascontiguousarray(dx), params, inputs)
        if inputs is not False:
            dz[:, self.nz:] += dc
        return dz

    def sample(self, c):
        """
        A sample for each row of `c`, independent of the others.

        Parameters
        ----------
        c : array (m, ncond)

        Returns
        -------
        array (m, mlp.dim)
            x alone.
        """
        if getattr(c, "ndim", 0) != 2 or c.shape[1] != self.ncond or not len(c):
            got = f"shape {c.shape}" if hasattr(c, "shape") else f"{c!r:.40}"
            raise ValueError(f"c must be one or more rows of {self.ncond} numbers, got {got}")
        G = copy(self)
        parts = (c[start:start + 1000] for start in range(0, len(c), 1000))
        return xp.concatenate([G.fprop(xp.concatenate([G.noise(len(part)), part], axis=1))[:, :G.mlp.dim]
                               for part in parts])

    def __repr__(self):
        return f"{type(self).__name__}({self.mlp!r}, ncond={self.ncond}, noise={self.prior!r})"
