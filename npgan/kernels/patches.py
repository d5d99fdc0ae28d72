"""
Pictures under sliding windows: cross-correlation with kernels and maxima, each with its adjoint worked out by hand.

Between layers a picture is one row of a state, in the order (row, column, channel), the channel fastest.  Within one a
minibatch is an array of maps, (row, channel, column, example): the examples run fastest, so that whatever the windows,
each operation goes over long stretches of neighbouring numbers.
"""
from npgan.backend import xp
from npgan.checks import count_numbers


class Correlation:
    """
    The cross-correlation z of pictures s with kernels W, in strides t, within margins of P zeros,

        z[i,j,n] = sum_{r,q,c} s[t i + r - P, t j + q - P, c] W[r,q,c,n]

    The kernels are not flipped.  W is kept as a matrix (kernel rows * kernel columns * channels, n), so that this is
    `Linear` on every patch: the patch at i, j, read in the order of a picture, times W.  Hence (derived here)

        dC/dW[r,q,c,n] = sum_{i,j} s[t i + r - P, t j + q - P, c] dC/dz[i,j,n]          sum over patches of patch^T dz
        dC/ds[y,x,c]   = sum_{i,j,n} dC/dz[i,j,n] W[y + P - t i, x + P - t j, c, n]     dz W^T, added where patches lie

    Each of the three joins two of pictures, kernels and signal dz, which `pictures`, `kernels` and `signal` prepare.

    Only columns are unfolded.  Strip y holds, of row y of the picture, what lies under the kernel's columns for each j.
    Row i of z sees the strips t i, ..., t i + r, ..., neighbours in memory and so a matrix of patches as they are.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, columns and channels of a picture s.
    kernel_shape, stride : (int, int)
        Along rows and columns.
    pad : int
        P.

    Attributes
    ----------
    out_shape : (int, int)
        Rows and columns of z, ceil((side + 2 P - kernel side) / t) + 1: with a stride the last patches may hang over.
    patch_size : int
        Rows of W.
    order : tuple of int
        Which axes of maps are row, column and channel.
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
        self.largest = count_numbers((self.padded[0], kernel_shape[1], shape[2], self.out_shape[1]))    # in all strips

    def to_maps(self, state, shape):
        """The rows of a `state`, pictures of a `shape` (rows, columns, channels), as maps; a copy."""
        return state.reshape(-1, *shape).transpose(*(1 + axis for axis in self.order), 0).copy()

    def to_rows(self, maps):
        """The way back from `maps`."""
        return maps.transpose(3, *self.order).reshape(maps.shape[3], -1)

    def columns(self, maps, q):
        """Of `maps` with margins, the columns that meet column `q` of the kernel, one for each column of z: a view."""
        return maps[:, :, q:q + self.stride[1] * (self.out_shape[1] - 1) + 1:self.stride[1]]

    def pictures(self, state):
        """For each row of z the matrix (patch size, columns of z * m) of its patches in the pictures of `state`."""
        rows, cols, channels = self.shape
        padded = xp.zeros((self.padded[0], channels, self.padded[1], len(state)), state.dtype)
        padded[self.pad:self.pad + rows, :, self.pad:self.pad + cols] = self.to_maps(state, self.shape)
        K, Q = self.kernel_shape
        strips = xp.empty((self.padded[0], Q, channels, self.out_shape[1], len(state)), state.dtype)
        for q in range(Q):
            strips[:, q] = self.columns(padded, q)
        return [strips[y:y + K].reshape(self.patch_size, -1) for y in range(0, self.padded[0] - K + 1, self.stride[0])]

    def kernels(self, W):
        """`W` as it is."""
        return W

    def signal(self, dz):
        """`dz` as it is."""
        return dz

    def correlate(self, patches, W):
        """The maps z."""
        z = xp.empty((len(patches), W.shape[1], patches[0].shape[1]), W.dtype)
        for i, of_row in enumerate(patches):
            xp.matmul(W.T, of_row, out=z[i])
        return z.reshape(*z.shape[:2], self.out_shape[1], -1)

    def kernel_gradient(self, patches, dz):
        """dW, for `kernels_back`."""
        dW = xp.zeros((self.patch_size, dz.shape[1]), dz.dtype)
        for i, of_row in enumerate(patches):
            dW += xp.matmul(of_row, dz[i].reshape(dz.shape[1], -1).T)
        return dW

    def kernels_back(self, dW):
        """The sum `dW` of what `kernel_gradient` gave, as a matrix like W."""
        return dW

    def adjoint(self, dz, W):
        """
        dC/ds, one picture a row.

        Row y of the padded picture meets row r of the kernels from row i = (y - r) / t of z, so every t-th r only.  One
        product, of those r with the last first and their i in order, is all that strip y gets.
        """
        rows, cols, channels = self.shape
        (K, Q), t, (out_rows, n, out_cols, m) = self.kernel_shape, self.stride[0], dz.shape
        taps = [W.reshape(K, Q * channels, n)[first::t][::-1] for first in range(t)]
        taps = [some.transpose(1, 0, 2).reshape(Q * channels, n * len(some)) for some in taps]
        strips = xp.empty((rows, Q * channels, out_cols * m), dz.dtype)
        for y in range(rows):
            i, first = divmod(y + self.pad, t)                              # r = first from row i, + t from row i - 1
            lowest = i + 1 - taps[first].shape[1] // n
            start, stop = max(0, lowest), min(out_rows, i + 1)
            xp.matmul(taps[first][:, n * (start - lowest):n * (stop - lowest)],
                      dz[start:stop].reshape(n * (stop - start), out_cols * m), out=strips[y])
        ds = xp.zeros((rows, channels, self.padded[1], m), dz.dtype)
        for q in range(Q):
            met = self.columns(ds, q)
            met += strips[:, q * channels:(q + 1) * channels].reshape(rows, channels, out_cols, m)
        return self.to_rows(ds[:, :, self.pad:self.pad + cols])


class MaxPool:
    """
    The maximum over windows along one axis; the last window may hang over the end and counts what exists,

        h[w] = max_r z[w T + r],    r = 0 ... size - 1,    w = 0 ... ceil((length - size) / T),

    computed as a running maximum over r.  Only a window's winner moves h, so it gets dC/dh, the sum of them if it wins
    several; a tie goes to the earliest.  Backward the r come in the opposite order: where r beat all before it, it
    takes the window's gradient, and leaves them none.

    Parameters
    ----------
    axis, length : int
        Which axis, and how many places it has.
    size, stride : int
        Places of a window, and T.
    """

    def __init__(self, axis, length, size, stride):
        if not stride <= size <= length:
            raise ValueError("windows need stride <= size <= the places there are, "
                             f"got stride {stride}, size {size} and {length} places")
        self.axis, self.length, self.size, self.stride = axis, length, size, stride
        self.windows = -(-(length - size) // stride) + 1

    def along(self, *bounds):
        """The index of a slice with these `bounds` along the axis."""
        return (slice(None),) * self.axis + (slice(*bounds),)

    def pair(self, z, h, r):
        """Place `r` of each window that has one, in `z`, and these windows in `h`: views."""
        here = z[self.along(r, r + self.stride * (self.windows - 1) + 1, self.stride)]
        return here, h[self.along(here.shape[self.axis])]

    def fprop(self, z):
        """The maxima h of `z`, and for r = 1, 2, ... in which windows place r beat those before it."""
        h, wins = z[self.along(0, self.stride * (self.windows - 1) + 1, self.stride)].copy(), []
        for r in range(1, self.size):
            here, best = self.pair(z, h, r)
            wins.append(here > best)
            xp.maximum(best, here, out=best)
        return h, wins

    def bprop(self, dh, wins):
        """dC/dz, for dC/dh, which is used up, and the `wins` that `fprop` told."""
        dz = xp.zeros((*dh.shape[:self.axis], self.length, *dh.shape[self.axis + 1:]), dh.dtype)
        for r in range(self.size - 1, 0, -1):
            here, left = self.pair(dz, dh, r)
            taken = left * wins[r - 1]
            here += taken
            left -= taken
        here, left = self.pair(dz, dh, 0)
        here += left
        return dz
