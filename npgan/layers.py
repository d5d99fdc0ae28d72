"""
The layers of the paper's nets, each with its derivative worked out by hand.

Everywhere s is ``state_below``, the layer's input, one example a row; z is an affine map of s; h is the layer's output;
and dA stands for dC/dA, the gradient of a cost C, an array of A's shape.
"""
import math

from npgan.backend import check_stream, xp
from npgan.checks import check_finite_number, check_positive_ints
from npgan.initialisation import initial_bias, initial_weights
from npgan.layer import Layer


class Linear(Layer):
    """
    An affine map of each row of the minibatch, z = s W + b.

    The cost C sees W, b and s only through z[i,j] = sum_v s[i,v] W[v,j] + b[j], so by the chain rule (derived here)

        dC/dW[v,j] = sum_i s[i,v] dC/dz[i,j]        dW = s^T dz
        dC/db[j]   = sum_i dC/dz[i,j]               db = sum over rows of dz
        dC/ds[i,v] = sum_j dC/dz[i,j] W[v,j]        ds = dz W^T

    Parameters
    ----------
    nvis, dim : int
        The numbers of inputs and of units; W is (nvis, dim), b is (dim,).
    irange, rng : float and RandomStream
        W starts uniform on [-irange, irange), unless `istdev` or `sparse_init` is given instead of irange.
    istdev : float, optional
        W starts normal, with this standard deviation.
    sparse_init, sparse_stdev : int and float, optional
        W starts at zero, except for `sparse_init` weights of each unit: normal, of standard deviation `sparse_stdev`.
    init_bias : float or array (dim,)
        The first value of b; see `npgan.initialisation.marginal_bias` for sigmoid outputs.
    max_col_norm : float, optional
        Limit of the L2 norm of each column of W, see `enforce_norm_limits`.
    """

    param_names = ("W", "b")
    argument_names = ("nvis", "dim", "max_col_norm")
    leaves_product = True                       # bprop keeps (s, dz) as `product`, for `npgan.kernels.momentum`

    def __init__(self, nvis, dim, irange=None, rng=None, *, istdev=None, sparse_init=None, sparse_stdev=1.,
                 init_bias=0., max_col_norm=None):
        check_positive_ints(nvis=nvis, dim=dim)
        if max_col_norm is not None and not max_col_norm > 0:
            raise ValueError(f"max_col_norm must be > 0 or None, got {max_col_norm}")
        self.nvis, self.dim, self.max_col_norm = nvis, dim, max_col_norm
        self.W = initial_weights(nvis, dim, rng, irange, istdev, sparse_init, sparse_stdev)
        self.b = initial_bias(init_bias, (dim,))
        self.dW, self.db = xp.zeros_like(self.W), xp.zeros_like(self.b)

    def fprop(self, state_below):                                   # (m, nvis) -> (m, dim)
        self.check_input(state_below)
        z = xp.matmul(state_below, self.W)
        z += self.b
        return self.remember(z, state_below)

    def bprop(self, dz, params=True, inputs=True):                  # (m, dim) -> (m, nvis)
        state_below, = self.recall(dz)
        self.product = state_below, dz
        if params:
            xp.matmul(state_below.T, dz, out=self.dW)
            xp.sum(dz, axis=0, out=self.db)
        if inputs is True:
            return xp.matmul(dz, self.W.T)
        if inputs:
            ds = xp.zeros_like(state_below)
            xp.matmul(dz[inputs], self.W.T, out=ds[inputs])
            return ds

    def enforce_norm_limits(self):
        """
        Shrink each column of W whose L2 norm exceeds max_col_norm.

        W_j <- W_j min(|W_j|, max_col_norm) / (1e-7 + |W_j|) for each column j, as in Pylearn2, its 1e-7 included.  In
        `Maxout` a column belongs to one piece, not to a whole unit.  The bias has no limit.  A column whose norm is
        infinite in floatX becomes NaN, so `Train` reports it.
        """
        limit_columns(self.W, self.max_col_norm)


class RectifiedLinear(Linear):
    """
    h = max(0, z): dC/dz is dC/dh where z > 0, and 0 elsewhere (at the kink z = 0 too).

    With a `left_slope`, h = left_slope z where z <= 0, and dC/dz is left_slope dC/dh there.
    """

    argument_names = Linear.argument_names + ("left_slope",)
    leaves_product = True

    def __init__(self, nvis, dim, irange=None, rng=None, *, left_slope=0., **initialisation):
        super().__init__(nvis, dim, irange, rng, **initialisation)
        self.left_slope = check_finite_number("left_slope", left_slope)

    def fprop(self, state_below):
        z = super().fprop(state_below)
        self.slope = (z > 0).astype(z.dtype)
        if self.left_slope:
            self.slope += self.left_slope * (1 - self.slope)
        z *= self.slope
        return z

    def bprop(self, dh, params=True, inputs=True):
        self.check_dh(dh)
        return super().bprop(dh * self.slope, params, inputs)


class Sigmoid(Linear):
    """h = 1 / (1 + exp(-z)): dh/dz = h (1 - h), so dC/dz = dC/dh h (1 - h)."""

    leaves_product = True

    def fprop(self, state_below):
        self.h = sigmoid(super().fprop(state_below))
        return self.h

    def bprop(self, dh, params=True, inputs=True):
        self.check_dh(dh)
        return super().bprop(dh * self.h * (1 - self.h), params, inputs)


class Maxout(Linear):
    """
    h_u = max over the pieces p of z[p U + u]: each of the U = `num_units` units is the largest of its affine pieces.

    Only the largest piece of a unit changes h, so dC/dz is dC/dh for this piece and 0 for the others.  If several
    pieces are equally large, the first of them counts.  (The authors' Theano gave each of them the full gradient, which
    is no subgradient.)  The plainest form is `npgan.plain.maxout`.

    Parameters
    ----------
    nvis, num_units, num_pieces : int
        W is (nvis, num_pieces U), b is (num_pieces U,).  Piece p of unit u has column p U + u, because one piece of
        all units is then contiguous, and fast.  In Pylearn2 it has column u num_pieces + p.
    """

    argument_names = ("nvis", "num_units", "num_pieces", "max_col_norm")
    leaves_product = True

    def __init__(self, nvis, num_units, num_pieces, irange=None, rng=None, **initialisation):
        check_positive_ints(num_units=num_units, num_pieces=num_pieces)
        super().__init__(nvis, num_units * num_pieces, irange, rng, **initialisation)
        self.dim, self.num_units, self.num_pieces = num_units, num_units, num_pieces

    def fprop(self, state_below):                                   # (m, nvis) -> (m, num_units)
        self.z = super().fprop(state_below).reshape(-1, self.num_pieces, self.num_units)
        self.h = self.z.max(axis=1)
        return self.h

    def bprop(self, dh, params=True, inputs=True):                  # (m, num_units) -> (m, nvis)
        self.check_dh(dh, (self._output_shape[0], self.num_units))
        undecided = xp.ones(dh.shape, bool)                         # units whose largest piece is still to come
        for p in range(self.num_pieces):
            piece = self.z[:, p]
            wins = (piece == self.h) & undecided
            undecided ^= wins
            xp.multiply(dh, wins, out=piece)                        # z is no longer needed, and becomes dz
        return super().bprop(self.z.reshape(self._output_shape), params, inputs)


class Dropout(Layer):
    """
    Dropout of the units below: h = s * mask * scale in training, h = s otherwise.

    Each training pass draws a new mask for each unit of each row, 1 with probability `include_prob`, 0 otherwise.
    Given the mask, h is linear in s, so dC/ds = dC/dh * mask * scale.  With include_prob = 1, h = s and the scale is
    ignored, as in Pylearn2.

    Parameters
    ----------
    include_prob : float in [1/65536, 1]
        The probability of keeping a unit; `RandomStream.mask` rounds it to a multiple of 1/65536.
    scale : float, optional
        By default 1 / include_prob: then the expectation of h is s.
    rng : RandomStream
        Draws the masks; assigning an earlier `state` to it repeats them.
    """

    argument_names = ("include_prob", "scale")

    def __init__(self, include_prob, scale=None, rng=None):
        if not 1 / 65536 <= check_finite_number("include_prob", include_prob) <= 1:
            raise ValueError(f"include_prob must be in [1/65536, 1], got {include_prob}")
        if include_prob < 1:
            check_stream(rng)
        self.include_prob, self.rng = include_prob, rng
        self.scale = 1 / include_prob if scale is None else check_finite_number("scale", scale)

    @property
    def streams(self):
        return [] if self.rng is None else [self.rng]

    def fprop(self, state_below):
        self.check_array(state_below)
        return self.remember(state_below, None)

    def dropout_fprop(self, state_below):
        if self.include_prob == 1:
            return self.fprop(state_below)
        self.check_array(state_below)
        factor = self.rng.mask(self.include_prob, state_below.shape).astype(state_below.dtype)
        factor *= self.scale
        return self.remember(state_below * factor, factor)

    def bprop(self, dh, params=True, inputs=True):
        factor, = self.recall(dh)
        if inputs:
            return dh if factor is None else dh * factor


def limit_columns(W, limit):
    """Shrink, in place, the columns of `W` whose L2 norm exceeds the `limit`, see `Linear.enforce_norm_limits`."""
    if limit is not None:
        norm = xp.sqrt(xp.einsum("vj,vj->j", W, W))
        factor = xp.minimum(norm, limit) / (1e-7 + norm)
        W *= xp.where(norm < math.inf, factor, math.nan)        # 0 would hide that training diverged


def sigmoid(z):
    """Return 1 / (1 + exp(-z)) elementwise, as exp(min(z, 0)) / (1 + exp(-|z|)), which cannot overflow."""
    return xp.exp(xp.minimum(z, 0)) / (1 + xp.exp(-xp.abs(z)))
