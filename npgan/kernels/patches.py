"""
Fast forms of `npgan.plain.cross_correlation`, `deconvolution` and `max_pooling`, with their gradients.

Between layers a picture is one row of a state, in the order (row, column, channel), the channel fastest.  Inside a
layer a minibatch is an array of maps, (row, channel, column, example).  The examples run fastest, and so each operation
works on long stretches of neighbouring numbers, whatever the windows are.
"""
import math

from npgan.backend import xp


class Correlation:
    """
    The cross-correlation z of pictures s with kernels W, with stride t and margins of P zeros.

        z[i,j,n] = sum_{r,q,c} s[t i + r - P, t j + q - P, c] W[r,q,c,n]

    The kernels are not flipped.  W is a matrix (kernel rows * kernel columns * channels, n), so this is `Linear` on
    every patch: the patch at i, j, read in the order of a picture, times W.  Therefore (derived here)

        dC/dW[r,q,c,n] = sum_{i,j} s[t i + r - P, t j + q - P, c] dC/dz[i,j,n]          sum over patches of patch^T dz
        dC/ds[y,x,c]   = sum_{i,j,n} dC/dz[i,j,n] W[y + P - t i, x + P - t j, c, n]     dz W^T, added where patches lie

    The second is the deconvolution of dC/dz.  Three methods compute the three sums,

        z = correlate(X, V)        dW = kernel_gradient(X, G)        ds = deconvolve(G, V),

    from pictures X, kernels V and dC/dz G, prepared by `prepare_pictures`, `prepare_kernels` and `prepare_maps`; here
    V is W and G is dz.

    X unfolds columns only.  Strip y holds, for each j, the part of row y of the picture that the kernel's columns
    cover.  The strips t i, ..., t i + kernel rows - 1 are neighbours in memory: together they are the matrix of the
    patches for row i of z, without a copy.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, columns and channels of a picture s.
    kernel_shape, stride : (int, int)
        Along rows and along columns.
    pad : int
        P.

    Attributes
    ----------
    out_shape : (int, int)
        Rows and columns of z, ceil((side + 2 P - kernel side) / t) + 1: the last patches may hang over the margins.
    patch_size : int
        Rows of W.
    largest : int
        Numbers in all strips of one picture.
    order : tuple of int
        The axes of maps that are row, column and channel.
    """

    order = 0, 2, 1

    def __init__(self, shape, kernel_shape, stride, pad):
        if any(k > n + 2 * pad for n, k in zip(shape, kernel_shape)):
            raise ValueError(f"kernels of {kernel_shape[0]} x {kernel_shape[1]} do not fit into pictures of "
                             f"{shape[0]} x {shape[1]} with margins of {pad}")
        self.shape, self.kernel_shape, self.stride, self.pad = shape, kernel_shape, stride, pad
        self.out_shape = tuple(-(-(n + 2 * pad - k) // t) + 1 for n, k, t in zip(shape, kernel_shape, stride))
        self.padded = tuple(t * (o - 1) + k for o, k, t in zip(self.out_shape, kernel_shape, stride))
        self.patch_size = kernel_shape[0] * kernel_shape[1] * shape[2]
        self.largest = math.prod((self.padded[0], kernel_shape[1], shape[2], self.out_shape[1]))

    def to_maps(self, state, shape):
        """Return a copy of the rows of `state`, pictures of a `shape` (rows, columns, channels), as maps."""
        return state.reshape(-1, *shape).transpose(*(1 + axis for axis in self.order), 0).copy()

    def to_rows(self, maps):
        """Return `maps` as the rows of a state, the inverse of `to_maps`."""
        return maps.transpose(3, *self.order).reshape(maps.shape[3], -1)

    def under_column(self, maps, q):
        """Return a view of the columns of `maps`, with margins, under column `q` of the kernel for each column of z."""
        return maps[:, :, q:q + self.stride[1] * (self.out_shape[1] - 1) + 1:self.stride[1]]

    def prepare_pictures(self, state):
        """Return X: for each row of z the matrix (patch size, columns of z * m) of its patches in `state`."""
        rows, cols, channels = self.shape
        padded = xp.zeros((self.padded[0], channels, self.padded[1], len(state)), state.dtype)
        padded[self.pad:self.pad + rows, :, self.pad:self.pad + cols] = self.to_maps(state, self.shape)
        K, Q = self.kernel_shape
        strips = xp.empty((self.padded[0], Q, channels, self.out_shape[1], len(state)), state.dtype)
        for q in range(Q):
            strips[:, q] = self.under_column(padded, q)
        return [strips[y:y + K].reshape(self.patch_size, -1) for y in range(0, self.padded[0] - K + 1, self.stride[0])]

    def prepare_kernels(self, W):
        """Return V, which is `W` itself."""
        return W

    def prepare_maps(self, dz):
        """Return G, which is `dz` itself."""
        return dz

    def correlate(self, X, W):
        """Return the maps z of the pictures `X` under the kernels `W`."""
        z = xp.empty((len(X), W.shape[1], X[0].shape[1]), W.dtype)
        for i, patches in enumerate(X):
            xp.matmul(W.T, patches, out=z[i])
        return z.reshape(*z.shape[:2], self.out_shape[1], -1)

    def kernel_gradient(self, X, dz):
        """Return dC/dW for the pictures `X`; `restore_kernels` takes the sum over all parts of a minibatch."""
        dW = xp.zeros((self.patch_size, dz.shape[1]), dz.dtype)
        for i, patches in enumerate(X):
            dW += xp.matmul(patches, dz[i].reshape(dz.shape[1], -1).T)
        return dW

    def restore_kernels(self, dV):
        """Return `dV`, a sum of results of `kernel_gradient`, as a matrix like W: here it is one."""
        return dV

    def deconvolve(self, dz, W):
        """
        Return dC/ds, one picture a row.

        Row y of the padded picture lies under row r of the kernels at row i = (y - r) / t of z, so only every t-th r
        counts.  One product gives all of strip y: its factors hold these r, the last first, and their i in order.
        """
        rows, cols, channels = self.shape
        (K, Q), t, (out_rows, n, out_cols, m) = self.kernel_shape, self.stride[0], dz.shape
        taps = [W.reshape(K, Q * channels, n)[first::t][::-1] for first in range(t)]    # r = first, first + t, ...
        taps = [tap.transpose(1, 0, 2).reshape(Q * channels, n * len(tap)) for tap in taps]
        strips = xp.empty((rows, Q * channels, out_cols * m), dz.dtype)
        for y in range(rows):
            i, first = divmod(y + self.pad, t)                              # r = first at row i, first + t at row i - 1
            lowest = i + 1 - taps[first].shape[1] // n
            start, stop = max(0, lowest), min(out_rows, i + 1)
            xp.matmul(taps[first][:, n * (start - lowest):n * (stop - lowest)],
                      dz[start:stop].reshape(n * (stop - start), out_cols * m), out=strips[y])
        ds = xp.zeros((rows, channels, self.padded[1], m), dz.dtype)
        for q in range(Q):
            covered = self.under_column(ds, q)
            covered += strips[:, q * channels:(q + 1) * channels].reshape(rows, channels, out_cols, m)
        return self.to_rows(ds[:, :, self.pad:self.pad + cols])


class MaxoutPooling:
    """
    The maxima over the pieces of a channel, then over windows of columns, then over windows of rows.

    Parameters
    ----------
    z_shape : (int, int, int)
        Rows, columns and channels of z; the pieces of a channel are neighbours.
    order : tuple of int
        The axes of maps that are row, column and channel.
    num_pieces : int
    window, stride : (int, int)
        Along rows and along columns.
    """

    def __init__(self, z_shape, order, num_pieces, window, stride):
        rows, columns, channels = z_shape
        self.pools = [MaxPool(order[2], channels, num_pieces, num_pieces),
                      MaxPool(order[1], columns, window[1], stride[1]),
                      MaxPool(order[0], rows, window[0], stride[0])]
        self.output_shape = tuple(pool.windows for pool in reversed(self.pools))

    def fprop(self, z):
        """Return the maxima of `z`, and the places that win, for `bprop`."""
        wins = []
        for pool in self.pools:
            z, won = pool.fprop(z)
            wins.append(won)
        return z, wins

    def bprop(self, dh, wins):
        """Return dC/dz for `dh`, which is overwritten, and the `wins` that `fprop` returned."""
        for pool, won in zip(reversed(self.pools), reversed(wins)):
            dh = pool.bprop(dh, won)
        return dh


class MaxPool:
    """
    The maximum over windows along one axis.

        h[w] = max_r z[w T + r],    r = 0 ... size - 1,    w = 0 ... ceil((length - size) / T)

    The last window may hang over the end and counts only what exists.  The forward pass is a running maximum over r.
    Only the winner of a window changes h, so it gets the window's dC/dh, summed over the windows that it wins; in a
    tie the earliest place wins.  The backward pass takes the r in the opposite order: where place r beat all before
    it, it takes the window's gradient and leaves 0 for them.

    Parameters
    ----------
    axis, length : int
        The axis and its number of places.
    size, stride : int
        Places of a window, and T.
    """

    def __init__(self, axis, length, size, stride):
        if not stride <= size <= length:
            raise ValueError("windows need stride <= size <= the number of places, "
                             f"got stride {stride}, size {size} and {length} places")
        self.axis, self.length, self.size, self.stride = axis, length, size, stride
        self.windows = -(-(length - size) // stride) + 1

    def places(self, z, r):
        """Return a view of place `r` of each window of `z`; the last window may have none."""
        stop = r + self.stride * (self.windows - 1) + 1
        return z[(slice(None),) * self.axis + (slice(r, stop, self.stride),)]

    def first_windows(self, h, number):
        """Return a view of the first `number` windows of `h`."""
        return h[(slice(None),) * self.axis + (slice(number),)]

    def fprop(self, z):
        """Return the maxima h of `z`, and for r = 1, 2, ... the windows in which place r beat all before it."""
        h, wins = self.places(z, 0).copy(), []
        for r in range(1, self.size):
            place = self.places(z, r)
            best = self.first_windows(h, place.shape[self.axis])
            wins.append(place > best)
            xp.maximum(best, place, out=best)
        return h, wins

    def bprop(self, dh, wins):
        """Return dC/dz for `dh`, which is overwritten, and the `wins` that `fprop` returned."""
        dz = xp.zeros((*dh.shape[:self.axis], self.length, *dh.shape[self.axis + 1:]), dh.dtype)
        for r in range(self.size - 1, 0, -1):
            place = self.places(dz, r)
            left = self.first_windows(dh, place.shape[self.axis])
            taken = left * wins[r - 1]
            place += taken
            left -= taken
        place = self.places(dz, 0)
        place += dh
        return dz
