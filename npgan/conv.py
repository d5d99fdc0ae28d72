"""
Convolutional layers: maxout over the pieces and places of a cross-correlation, and "deconvolution", its transpose.

A state's row holds a picture in the order (row, column, channel), the channel fastest, so these layers stand among
dense ones as they are; `Transpose` changes the order where data have another, as CIFAR-10's planes of colour do.

    h0 = MaxoutConv((32, 32, 3), 32, 2, (8, 8), (4, 4), (2, 2), .005, rng, pad=4)       # gives 16 x 16 x 32
    h1 = MaxoutConv(h0.output_shape, 32, 2, (8, 8), (4, 4), (2, 2), .005, rng, pad=3)   # gives 7 x 7 x 32
    D = MLP([Transpose((3, 32, 32), (1, 2, 0)), h0, h1, Linear(h1.dim, 1, .005, rng)])
"""
from itertools import permutations

from npgan.backend import blocks, xp
from npgan.checks import check_nonnegative_int, check_positive_ints, check_shape, count_numbers
from npgan.initialisation import initial_bias, initial_weights
from npgan.kernels.patches import MaxPool
from npgan.kernels.spectra import choose_correlation
from npgan.kernels.threads import in_parallel
from npgan.layer import Layer
from npgan.layers import limit_columns

EXAMPLES = 32                               # pictures worked on at a time, to keep their maps near the processor


class _Kernels(Layer):
    """Kernels for a `correlation`, the columns of W, and biases b, of `biased` (rows, columns, channels) or tied."""

    param_names = ("W", "b")

    def __init__(self, correlation, num_kernels, biased, tied_b, init_bias, max_kernel_norm, irange, rng, others):
        if max_kernel_norm is not None and not max_kernel_norm > 0:
            raise ValueError(f"max_kernel_norm must be > 0 or None, got {max_kernel_norm}")
        self.correlation, self.tied_b, self.max_kernel_norm = correlation, bool(tied_b), max_kernel_norm
        self.W = initial_weights(correlation.patch_size, num_kernels, rng, irange, **others)
        self.b = initial_bias(init_bias, biased[2:] if tied_b else biased)
        self.dW, self.db = xp.zeros_like(self.W), xp.zeros_like(self.b)

    def write(self, dW, db):
        """Write the gradients: `dW`, and the sum of the rows of `db`."""
        self.dW[...] = dW
        self.db[...] = db.reshape(-1, self.b.size).sum(axis=0).reshape(self.b.shape)

    def enforce_norm_limits(self):
        """The limit of `Linear.enforce_norm_limits`, for the norm of each kernel, a column of W."""
        limit_columns(self.W, self.max_kernel_norm)


class MaxoutConv(_Kernels):
    """
    The maximum, over pieces and over windows of places, of the cross-correlation with kernels (derived here).

        z[i,j,n] = patch(i,j) W[:,n] + b[n]
        h[I,J,u] = max of z[i, j, u k + p] over the places i, j of window I, J and the pieces p = 0 ... k - 1

    dC/dW and dC/ds follow from dC/dz as in `Correlation`; dC/db sums it over examples, and over places if b is tied.
    Of all that a maximum is taken over only the winner moves h, so dC/dz is dC/dh there, summed over the windows that
    it wins, and 0 elsewhere: `MaxPool`, of pieces, then of columns, then of rows.  A tie goes to the earliest row, in
    it to the earliest column, and there to the earliest piece.

    Parameters
    ----------
    input_shape : (int, int, int)
        Rows, columns and channels of the pictures below, the order of a state's row.
    num_channels, num_pieces : int
        Channels u of the output and pieces k of each.
    kernel_shape : (int, int)
        Rows and columns of a kernel.  W is (rows * columns * channels below, num_channels k), its rows in a picture's
        order, the channel fastest; channel u has the columns u k ... u k + k - 1, as in Pylearn2.
    pool_shape, pool_stride : (int, int)
        Rows and columns of a window, and from one to the next.  Windows may overlap, and the last hang over the edge,
        where it counts what exists: a side n becomes ceil((n - pool side) / stride) + 1.
    irange, rng, **initialisation
        Where W starts, as in `Linear`.
    pad : int
        Width of the margins of zeros around a picture.
    kernel_stride : (int, int)
        From one patch to the next: a side n becomes ceil((n + 2 pad - kernel side) / stride) + 1, before pooling.
    tied_b : bool
        Whether b is (num_channels k,), or has an entry for each place before pooling, (rows, columns, num_channels k).
    init_bias : float or array of b's shape
        Where b starts.
    max_kernel_norm : float, optional
        Limit of each kernel's L2 norm, see `enforce_norm_limits`.

    Attributes
    ----------
    output_shape : (int, int, int)
        Rows, columns and channels of the output, the next layer's `input_shape`.
    """

    argument_names = ("input_shape", "num_channels", "num_pieces", "kernel_shape", "pool_shape", "pool_stride", "pad",
                      "kernel_stride", "tied_b", "max_kernel_norm")

    def __init__(self, input_shape, num_channels, num_pieces, kernel_shape, pool_shape, pool_stride, irange=None,
                 rng=None, *, pad=0, kernel_stride=(1, 1), tied_b=False, init_bias=0., max_kernel_norm=None,
                 **initialisation):
        check_positive_ints(num_channels=num_channels, num_pieces=num_pieces)
        self.input_shape = check_shape("input_shape", input_shape, "rows", "columns", "channels")
        self.num_channels, self.num_pieces, self.pad = num_channels, num_pieces, check_nonnegative_int("pad", pad)
        self.kernel_shape, self.kernel_stride, self.pool_shape, self.pool_stride = (
            check_shape(name, value, "rows", "columns") for name, value in (
                ("kernel_shape", kernel_shape), ("kernel_stride", kernel_stride),
                ("pool_shape", pool_shape), ("pool_stride", pool_stride)))
        self.nvis, n = count_numbers(self.input_shape), num_channels * num_pieces
        correlation = choose_correlation(self.input_shape, self.kernel_shape, self.kernel_stride, pad, n)
        (rows, columns), axes = correlation.out_shape, correlation.order
        self.largest = max(correlation.largest, count_numbers((rows, columns, n)))
        self.pools = [MaxPool(axes[2], n, num_pieces, num_pieces),
                      MaxPool(axes[1], columns, self.pool_shape[1], self.pool_stride[1]),
                      MaxPool(axes[0], rows, self.pool_shape[0], self.pool_stride[0])]
        self.output_shape = (self.pools[2].windows, self.pools[1].windows, num_channels)
        self.dim = count_numbers(self.output_shape)
        super().__init__(correlation, n, (rows, columns, n), tied_b, init_bias, max_kernel_norm, irange, rng,
                         initialisation)

    def fprop(self, state_below):                                   # (m, nvis) -> (m, dim)
        self.check_input(state_below)
        correlation, V = self.correlation, self.correlation.prepare_kernels(self.W)
        b = correlation.to_maps(self.b, (1, 1, self.b.size) if self.tied_b else self.b.shape)
        h = xp.empty((len(state_below), self.dim), state_below.dtype)

        def forward(part):
            z, wins = correlation.correlate(correlation.prepare_pictures(state_below[part]), V) + b, []
            for pool in self.pools:
                z, won = pool.fprop(z)
                wins.append(won)
            h[part] = correlation.to_rows(z)
            return wins

        return self.remember(h, state_below, in_parallel(forward, blocks(len(h), EXAMPLES)))

    def bprop(self, dh, params=True, inputs=True):                  # (m, dim) -> (m, nvis)
        state_below, wins = self.recall(dh)
        correlation, V = self.correlation, self.correlation.prepare_kernels(self.W)
        ds = xp.zeros_like(state_below) if inputs else None

        def backward(part, wins):
            dz = correlation.to_maps(dh[part], self.output_shape)
            for pool, won in zip(reversed(self.pools), reversed(wins)):
                dz = pool.bprop(dz, won)
            G = correlation.prepare_maps(dz)
            if wanted(inputs, part, len(dh)):
                ds[part] = correlation.deconvolve(G, V)
            if params:
                return correlation.kernel_gradient(correlation.prepare_pictures(state_below[part]), G), dz.sum(axis=3)

        gradients = in_parallel(backward, blocks(len(dh), EXAMPLES), wins)
        if params:
            db = correlation.to_rows(sum(db for _, db in gradients)[..., None])
            self.write(correlation.restore_kernels(sum(dV for dV, _ in gradients)), db)
        return ds


class Deconv(_Kernels):
    """
    "Deconvolution", the transpose of a cross-correlation in strides t: each number below lays its kernel down, scaled.

        h[y,x,c] = sum_{i,j,n} s[i,j,n] W[y + P - t i, x + P - t j, c, n] + b[y,x,c]

    The kernel's r, q and the places y, x that s[i,j] reaches are tied by y = t i + r - P, x = t j + q - P, so by the
    chain rule (derived here)

        dC/ds[i,j,n]   = sum_{r,q,c} dC/dh[t i + r - P, t j + q - P, c] W[r,q,c,n]      the cross-correlation of dC/dh
        dC/dW[r,q,c,n] = sum_{i,j} dC/dh[t i + r - P, t j + q - P, c] s[i,j,n]

    and dC/db sums dC/dh over examples, and over places if b is tied.  These are `Correlation`'s z and dC/dW, with dC/dh
    for the picture and s for dC/dz; and h, but for b, is its dC/ds.

    Parameters
    ----------
    input_shape : (int, int, int)
        Rows, columns and channels of the state below, the order of its row.
    num_channels : int
        Channels c of the output.
    kernel_shape : (int, int)
        Rows and columns of a kernel.  W is (rows * columns * num_channels, channels below), its rows in a picture's
        order, the channel fastest; column n is what channel n below lays down.
    irange, rng, **initialisation
        Where W starts, as in `Linear`.
    output_stride : (int, int)
        t, along rows and columns: a side n becomes t (n - 1) + kernel side - 2 pad_out.
    pad_out : int
        P, the width of the margins cut off the output.
    tied_b : bool
        Whether b is (num_channels,), or has an entry for each output, (rows, columns, num_channels).
    init_bias : float or array of b's shape
        Where b starts.
    max_kernel_norm : float, optional
        Limit of the L2 norm of each channel below's kernel, see `enforce_norm_limits`.

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
        self.num_channels, self.pad_out = num_channels, check_nonnegative_int("pad_out", pad_out)
        sides = [t * (n - 1) + k - 2 * pad_out
                 for n, t, k in zip(self.input_shape, self.output_stride, self.kernel_shape)]
        if min(sides) < 1:
            raise ValueError(f"pad_out {pad_out} cuts off all of the output, {sides[0]} x {sides[1]} would be left")
        self.output_shape = (*sides, num_channels)
        self.nvis, self.dim = count_numbers(self.input_shape), count_numbers(self.output_shape)
        n = self.input_shape[2]
        correlation = choose_correlation(self.output_shape, self.kernel_shape, self.output_stride, pad_out, n)
        self.largest = correlation.largest
        super().__init__(correlation, n, self.output_shape, tied_b, init_bias, max_kernel_norm, irange, rng,
                         initialisation)

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

        def backward(part):
            X = correlation.prepare_pictures(dh[part])
            if wanted(inputs, part, len(dh)):
                ds[part] = correlation.to_rows(correlation.correlate(X, V))
            if params:
                s = correlation.to_maps(state_below[part], self.input_shape)
                return correlation.kernel_gradient(X, correlation.prepare_maps(s))

        gradients = in_parallel(backward, blocks(len(dh), EXAMPLES))
        if params:
            self.write(correlation.restore_kernels(sum(gradients)), dh)
        return ds


class Transpose(Layer):
    """
    Another order within a row: the row as an array of a `shape`, its axes in the order `axes`, as in NumPy's transpose.

    ``Transpose((3, 32, 32), (1, 2, 0))`` takes CIFAR-10's planes of red, green and blue to pixels, the order of
    `MaxoutConv` and `Deconv`, and ``Transpose((32, 32, 3), (2, 0, 1))`` takes pixels to planes.  A permutation of s
    permutes dC/ds alike, so the backward pass puts dC/dh back into the order below.

    Parameters
    ----------
    shape : (int, int, int)
        Of a row below.
    axes : (int, int, int)
        Axis i of the row above is axis axes[i] of the row below.
    """

    argument_names = ("shape", "axes")

    def __init__(self, shape, axes):
        self.shape = check_shape("shape", shape, "first axis", "second", "third")
        if tuple(axes) not in permutations(range(3)):
            raise ValueError(f"axes must be 0, 1 and 2 in some order, got {axes}")
        self.axes = tuple(axes)
        self.output_shape = tuple(self.shape[axis] for axis in axes)
        self.nvis = self.dim = count_numbers(self.shape)

    def fprop(self, state_below):
        self.check_input(state_below)
        return self.remember(reorder(state_below, self.shape, self.axes))

    def bprop(self, dh, params=True, inputs=True):
        self.recall(dh)
        if inputs:
            return reorder(dh, self.output_shape, [self.axes.index(axis) for axis in range(3)])


def reorder(rows, shape, axes):
    """The `rows`, each an array of a `shape`, with the axes of each in the order `axes`."""
    return rows.reshape(-1, *shape).transpose(0, *(1 + axis for axis in axes)).reshape(rows.shape)


def wanted(inputs, part, m):
    """Whether of `m` rows any of the `inputs` asked of `bprop` are in the slice `part`."""
    return any(row in range(m)[inputs] for row in range(m)[part]) if isinstance(inputs, slice) else inputs
