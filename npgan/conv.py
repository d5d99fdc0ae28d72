"""
Convolutional layers; `npgan.plain` has cross_correlation, deconvolution and max_pooling as loops.

A row of a state is a picture in the order (row, column, channel), the channel fastest, so these layers stand among
dense ones as they are.  `npgan.transpose` is for data in another order, such as CIFAR-10's planes of colour.

    h0 = MaxoutConv((32, 32, 3), 32, 2, (8, 8), (4, 4), (2, 2), .005, rng, pad=4)       # gives 16 x 16 x 32
    h1 = MaxoutConv(h0.output_shape, 32, 2, (8, 8), (4, 4), (2, 2), .005, rng, pad=3)   # gives 7 x 7 x 32
    D = MLP([Transpose((3, 32, 32), (1, 2, 0)), h0, h1, Linear(h1.dim, 1, .005, rng)])
"""
import math

import numpy as np

from npgan.backend import blocks, xp
from npgan.checks import check_nonnegative_int, check_positive_ints, check_shape
from npgan.initialisation import initial_bias, initial_weights
from npgan.kernels.patches import MaxoutPooling
from npgan.kernels.spectra import choose_correlation
from npgan.kernels.threads import in_parallel
from npgan.layer import Layer
from npgan.layers import limit_columns

EXAMPLES = 32                               # pictures that a thread works on at a time, to keep their maps in its cache


class _Kernels(Layer):
    """The kernels in the columns of W, and the biases b, that `MaxoutConv` and `Deconv` have for a `correlation`."""

    param_names = ("W", "b")

    def __init__(self, correlation, num_kernels, bias_shape, init_bias, max_kernel_norm, irange, rng, initialisation):
        if max_kernel_norm is not None and not max_kernel_norm > 0:
            raise ValueError(f"max_kernel_norm must be > 0 or None, got {max_kernel_norm}")
        self.correlation, self.max_kernel_norm = correlation, max_kernel_norm
        self.W = initial_weights(correlation.patch_size, num_kernels, rng, irange, **initialisation)
        self.b = initial_bias(init_bias, bias_shape)
        self.dW, self.db = xp.zeros_like(self.W), xp.zeros(self.b.shape, self.b.dtype)

    def write_gradients(self, dW, dC_dz):
        """Write `dW`, and db: the sum of the rows of `dC_dz`, and over places as well if b is tied."""
        self.dW[...] = dW
        self.db[...] = dC_dz.reshape(-1, self.b.size).sum(axis=0).reshape(self.b.shape)

    def enforce_norm_limits(self):
        """Shrink each kernel, a column of W, whose norm exceeds max_kernel_norm; see `Linear.enforce_norm_limits`."""
        limit_columns(self.W, self.max_kernel_norm)


class MaxoutConv(_Kernels):
    """
    The maximum over pieces, and over windows of places, of the cross-correlation with kernels (derived here).

        z[i,j,n] = patch(i,j) W[:,n] + b[n]                                     `npgan.plain.cross_correlation`
        h[I,J,u] = max of z[i, j, u k + p] over the places i, j of window I, J and the pieces p = 0 ... k - 1

    Only the winner of each maximum changes h.  Therefore dC/dz is dC/dh at the winner, summed over the windows that it
    wins, and 0 elsewhere (`MaxoutPooling`).  In a tie the earliest row wins, in it the earliest column, and there the
    earliest piece.  From dC/dz follow

        dW = sum over patches of patch^T dz       db = sum of dz       ds = the deconvolution of dz, see `Correlation`.

    Parameters
    ----------
    input_shape : (int, int, int)
        Rows, columns and channels of the pictures below, the order of a state's row.
    num_channels, num_pieces : int
        Channels u of the output and pieces k of each.
    kernel_shape : (int, int)
        Rows and columns of a kernel.  W is (rows * columns * channels below, num_channels k), its rows in a picture's
        order; channel u has the columns u k ... u k + k - 1, as in Pylearn2.
    pool_shape, pool_stride : (int, int)
        Rows and columns of a window, and the step to the next.  Windows may overlap.  The last ones may hang over the
        edge and count only what exists: a side n becomes ceil((n - pool side) / stride) + 1.
    irange, rng, init_bias, **initialisation
        Where W and b start, as in `Linear`.
    pad : int
        Width of the margins of zeros around a picture.
    kernel_stride : (int, int)
        The step to the next patch: before pooling, a side n becomes ceil((n + 2 pad - kernel side) / stride) + 1.
    tied_b : bool
        If true, b is (num_channels k,); otherwise it has an entry for each place, (rows, columns, num_channels k).
    max_kernel_norm : float, optional
        Limit of each kernel's L2 norm.

    Attributes
    ----------
    output_shape : (int, int, int)
        Rows, columns and channels of the output, the next layer's `input_shape`.
    largest : int
        Numbers in the largest array that the layer makes for one picture; a checkpoint's reader limits it.
    """

    argument_names = ("input_shape", "num_channels", "num_pieces", "kernel_shape", "pool_shape", "pool_stride", "pad",
                      "kernel_stride", "tied_b", "max_kernel_norm")

    def __init__(self, input_shape, num_channels, num_pieces, kernel_shape, pool_shape, pool_stride, irange=None,
                 rng=None, *, pad=0, kernel_stride=(1, 1), tied_b=False, init_bias=0., max_kernel_norm=None,
                 **initialisation):
        check_positive_ints(num_channels=num_channels, num_pieces=num_pieces)
        self.input_shape = check_shape("input_shape", input_shape, "rows", "columns", "channels")
        self.kernel_shape = check_shape("kernel_shape", kernel_shape, "rows", "columns")
        self.kernel_stride = check_shape("kernel_stride", kernel_stride, "rows", "columns")
        self.pool_shape = check_shape("pool_shape", pool_shape, "rows", "columns")
        self.pool_stride = check_shape("pool_stride", pool_stride, "rows", "columns")
        self.num_channels, self.num_pieces, self.tied_b = num_channels, num_pieces, bool(tied_b)
        self.pad = check_nonnegative_int("pad", pad)
        self.nvis, n = math.prod(self.input_shape), num_channels * num_pieces
        correlation = choose_correlation(self.input_shape, self.kernel_shape, self.kernel_stride, pad, n)
        z_shape = (*correlation.out_shape, n)
        self.pooling = MaxoutPooling(z_shape, correlation.order, num_pieces, self.pool_shape, self.pool_stride)
        self.output_shape = self.pooling.output_shape
        self.dim = math.prod(self.output_shape)
        self.largest = max(correlation.largest, math.prod(z_shape))
        super().__init__(correlation, n, (n,) if tied_b else z_shape, init_bias, max_kernel_norm, irange, rng,
                         initialisation)

    def fprop(self, state_below):                                   # (m, nvis) -> (m, dim)
        self.check_input(state_below)
        correlation, V = self.correlation, self.correlation.prepare_kernels(self.W)
        b = correlation.to_maps(self.b, (1, 1, self.b.size) if self.tied_b else self.b.shape)
        h = xp.empty((len(state_below), self.dim), state_below.dtype)

        def forward(part):
            X = correlation.prepare_pictures(state_below[part])
            maxima, wins = self.pooling.fprop(correlation.correlate(X, V) + b)
            h[part] = correlation.to_rows(maxima)
            return wins

        return self.remember(h, state_below, in_parallel(forward, blocks(len(h), EXAMPLES)))

    def bprop(self, dh, params=True, inputs=True):                  # (m, dim) -> (m, nvis)
        state_below, wins = self.recall(dh)
        correlation, V = self.correlation, self.correlation.prepare_kernels(self.W)
        ds = xp.zeros_like(state_below) if inputs else None
        needed = mask_rows(inputs, len(dh))

        def backward(part, wins):
            dz = self.pooling.bprop(correlation.to_maps(dh[part], self.output_shape), wins)
            G = correlation.prepare_maps(dz)
            if needed[part].any():
                ds[part] = correlation.deconvolve(G, V)
            if params:
                X = correlation.prepare_pictures(state_below[part])
                return correlation.kernel_gradient(X, G), dz.sum(axis=3)

        gradients = in_parallel(backward, blocks(len(dh), EXAMPLES), wins)
        if params:
            dV, dz = (sum(parts) for parts in zip(*gradients))
            self.write_gradients(correlation.restore_kernels(dV), correlation.to_rows(dz[..., None]))
        return ds


class Deconv(_Kernels):
    """
    "Deconvolution", the transpose of a cross-correlation with stride t: each number below lays down its scaled kernel.

        h[y,x,c] = sum_{i,j,n} s[i,j,n] W[y + P - t i, x + P - t j, c, n] + b[y,x,c]        `npgan.plain.deconvolution`

    Entry r, q of the kernel of s[i,j] lands on y = t i + r - P, x = t j + q - P.  By the chain rule (derived here)

        dC/ds[i,j,n]   = sum_{r,q,c} dC/dh[t i + r - P, t j + q - P, c] W[r,q,c,n]      the cross-correlation of dC/dh
        dC/dW[r,q,c,n] = sum_{i,j} dC/dh[t i + r - P, t j + q - P, c] s[i,j,n]

    and db = sum of dC/dh.  These are the sums of `Correlation` with dC/dh in place of s, and s in place of dC/dz.

    Parameters
    ----------
    input_shape : (int, int, int)
        Rows, columns and channels of the state below, the order of its row.
    num_channels : int
        Channels c of the output.
    kernel_shape : (int, int)
        Rows and columns of a kernel.  W is (rows * columns * num_channels, channels below): a kernel in each column.
    irange, rng, init_bias, max_kernel_norm, **initialisation
        As in `MaxoutConv`, with one kernel for each channel below.
    output_stride : (int, int)
        t, along rows and columns: a side n becomes t (n - 1) + kernel side - 2 pad_out.
    pad_out : int
        P, the width of the margins cut off the output.
    tied_b : bool
        If true, b is (num_channels,); otherwise it has an entry for each output, (rows, columns, num_channels).

    Attributes
    ----------
    output_shape : (int, int, int)
        Rows, columns and channels of the output.
    """

    argument_names = ("input_shape", "num_channels", "kernel_shape", "output_stride", "pad_out", "tied_b",
                      "max_kernel_norm")

    def __init__(self, input_shape, num_channels, kernel_shape, irange=None, rng=None, *, output_stride=(1, 1),
                 pad_out=0, tied_b=False, init_bias=0., max_kernel_norm=None, **initialisation):
        check_positive_ints(num_channels=num_channels)
        self.input_shape = check_shape("input_shape", input_shape, "rows", "columns", "channels")
        self.kernel_shape = check_shape("kernel_shape", kernel_shape, "rows", "columns")
        self.output_stride = check_shape("output_stride", output_stride, "rows", "columns")
        self.num_channels, self.tied_b = num_channels, bool(tied_b)
        self.pad_out = check_nonnegative_int("pad_out", pad_out)
        sides = [t * (n - 1) + k - 2 * pad_out
                 for n, t, k in zip(self.input_shape, self.output_stride, self.kernel_shape)]
        if min(sides) < 1:
            raise ValueError(f"pad_out must leave some of the output, got {pad_out}, which leaves "
                             f"{sides[0]} x {sides[1]}; choose a smaller one")
        self.output_shape = (*sides, num_channels)
        self.nvis, self.dim, n = math.prod(self.input_shape), math.prod(self.output_shape), self.input_shape[2]
        correlation = choose_correlation(self.output_shape, self.kernel_shape, self.output_stride, pad_out, n)
        self.largest = correlation.largest
        super().__init__(correlation, n, (num_channels,) if tied_b else self.output_shape, init_bias, max_kernel_norm,
                         irange, rng, initialisation)

    def fprop(self, state_below):                                   # (m, nvis) -> (m, dim)
        self.check_input(state_below)
        correlation, V = self.correlation, self.correlation.prepare_kernels(self.W)
        h = xp.empty((len(state_below), self.dim), state_below.dtype)

        def forward(part):
            s = correlation.to_maps(state_below[part], self.input_shape)
            h[part] = correlation.deconvolve(correlation.prepare_maps(s), V)

        in_parallel(forward, blocks(len(h), EXAMPLES))
        pixels = h.reshape(-1, *self.output_shape)
        pixels += self.b
        return self.remember(h, state_below)

    def bprop(self, dh, params=True, inputs=True):                  # (m, dim) -> (m, nvis)
        state_below, = self.recall(dh)
        correlation, V = self.correlation, self.correlation.prepare_kernels(self.W)
        ds = xp.zeros_like(state_below) if inputs else None
        needed = mask_rows(inputs, len(dh))

        def backward(part):
            X = correlation.prepare_pictures(dh[part])
            if needed[part].any():
                ds[part] = correlation.to_rows(correlation.correlate(X, V))
            if params:
                s = correlation.to_maps(state_below[part], self.input_shape)
                return correlation.kernel_gradient(X, correlation.prepare_maps(s))

        gradients = in_parallel(backward, blocks(len(dh), EXAMPLES))
        if params:
            self.write_gradients(correlation.restore_kernels(sum(gradients)), dh)
        return ds


def mask_rows(inputs, m):
    """Return a mask of the rows, among `m`, that `inputs` selects: a slice, True for all or False for no row."""
    mask = np.zeros(m, bool)
    mask[inputs] = True
    return mask
