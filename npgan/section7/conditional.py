"""
Conditional games (Section 7, extension 1): both players are given c, and G learns p(x | c).

Let G make x and copy c, and let D judge rows [x | c].  This is the paper's game with p_data(x, c) for the data and
p_data(c) p_g(x | c) for the samples, so its optimum is p_g(x | c) = p_data(x | c) for every c that occurs.

    [x | c], [z | c] = G.with_noise([x | c])        G.fprop([z | c]) = [G(z, c) | c]

Layers that depend on c take it as the last `ncond` of their inputs: the first layers of G and D, and others if wanted.
"""
from copy import copy

from npgan import backend
from npgan.backend import xp
from npgan.checks import check_positive_ints
from npgan.generator import Generator
from npgan.initialisation import initial_weights
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear


def split(rows, ncond):
    """Return the parts s (m, n - ncond) and c (m, ncond) of `rows` [s | c] (m, n), as views; c has `ncond` columns."""
    n = rows.shape[1] - ncond
    if n < 1:
        raise ValueError(f"rows that end in {ncond} numbers of c must have more columns, got shape {rows.shape}")
    return rows[:, :n], rows[:, n:]


def one_hot(y, num_classes=10):
    """
    Return labels as the condition c of a game: a row for each label, 1 at its class and 0 elsewhere.

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
    An affine map of a row [s | c]: z = s W + c V + b.

    c V is a further bias of the units, which differs from row to row.  With c = 0 the layer is bit-identical to a
    `Linear` without c, in training too.  Derived as in `Linear`,

        dV = c^T dz         dc = dz V^T

    Subclasses of `Linear` become conditional by multiple inheritance: ``class ConditionalMaxout(Maxout, Conditional)``.

    Parameters
    ----------
    nvis, dim, irange, rng, **initialisation
        As in `Linear`; nvis includes c.
    ncond : int
        The numbers in c, the last inputs; W is (nvis - ncond, dim), V is (ncond, dim).
    cond_rng : RandomStream, optional
        Draws V, from the same distribution as W; `rng` by default.
    """

    param_names = ("W", "b", "V")
    argument_names = Linear.argument_names + ("ncond",)

    def __init__(self, nvis, dim, irange=None, rng=None, *, ncond, cond_rng=None, **initialisation):
        check_positive_ints(ncond=ncond)
        if not ncond < nvis:
            raise ValueError(f"ncond, the number of inputs in c, must be below nvis = {nvis}, got {ncond}")
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
        self._kept = s,                                             # the input of Linear's part
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
    """`Dropout` of all inputs except the last `ncond`, the condition."""

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

    Data rows are [x | c], such as pictures and their `one_hot` labels.  Samples get the c of the data rows in the same
    minibatch, and D judges rows [x | c].

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
            raise ValueError(f"ncond must be below mlp.nvis = {mlp.nvis}, the numbers of z and c together, got {ncond}")
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
        """Run the backward pass from `dx`, dC/d[G(z, c) | c]; `params` and `inputs` as in `Layer.bprop`."""
        dx, dc = split(dx, self.ncond)
        dz = self.mlp.bprop(xp.ascontiguousarray(dx), params, inputs)
        if inputs is not False:
            dz[:, self.nz:] += dc
        return dz

    def sample(self, c):
        """
        Return a sample for each row of `c`, independent of the others.

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
