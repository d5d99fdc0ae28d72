"""`npgan.plain.cross_correlation` by the convolution theorem, with the Fourier transforms as small matrices."""
import numpy as np

from npgan import backend
from npgan.backend import xp
from npgan.kernels.patches import Correlation

LONGEST = 256                       # the most places on a circle; longer ones would need large matrices


class FourierCorrelation(Correlation):
    """
    `Correlation` with stride 1 by the convolution theorem: far fewer multiplications for large kernels.

    Along one axis, put the picture on a circle of N = side + P places, where both margins are the same P zeros, and let

        X[f] = sum_y s[y] e^(-2 pi i f (y + P) / N)        V[f] = sum_r W[r] e^(2 pi i f r / N).

    The sum over f of e^(2 pi i f k / N) is N where N divides k and 0 elsewhere.  Therefore

        (1/N) sum_f X[f] V[f] e^(2 pi i f j / N) = sum of s[y] W[r] over y + P = j + r (mod N) = z[j],

    and likewise along both axes, with a sum over channels at each pair of frequencies.  Along columns half of the f
    suffice: since s and W are real, the terms of f and N - f are conjugate, and their sum is twice the real part.

    All of these are linear maps, X = A s, V = E W and z = Re(B Z), so their adjoints are the conjugate transposes
    (derived here).  With G = B^H dz,

        Z = V^T X        dC/dW = Re(E^H conj(X) G^T)        dC/ds = Re(A^H conj(V) G).

    Every z is a sum over the whole picture, with the rounding error of its largest terms.  Places where `Correlation`
    finds exactly equal z, on a flat background for example, differ here in their last digits, and these digits decide
    which place a maximum chooses.

    For sides of about 20 the matrices are so small that their products take less time than a fast Fourier transform.

    Parameters
    ----------
    shape, kernel_shape, pad
        As in `Correlation`.
    """

    order = 0, 1, 2

    def __init__(self, shape, kernel_shape, pad):
        super().__init__(shape, kernel_shape, (1, 1), pad)
        self.circle = shape[0] + pad, shape[1] + pad
        frequencies = np.arange(self.circle[0]), np.arange(self.circle[1] // 2 + 1)

        def waves(sign, first, lengths):
            """Return the matrices e^(sign 2 pi i f y / N) of frequencies f and places y, for rows and for columns."""
            return [np.exp(sign * 2j * np.pi * np.outer(f, first + np.arange(length)) / N)
                    for f, length, N in zip(frequencies, lengths, self.circle)]

        A, E, B = waves(-1, pad, shape[:2]), waves(1, 0, kernel_shape), waves(1, 0, self.out_shape)
        twice = 1 + (frequencies[1] * 2 % self.circle[1] > 0)
        B = [B[0].T / self.circle[0], B[1].T * twice / self.circle[1]]
        kind = "complex64" if backend.floatX == "float32" else "complex128"
        self.A, self.E, self.B = ([xp.asarray(matrix, dtype=kind) for matrix in pair] for pair in (A, E, B))

    def prepare_pictures(self, state):
        """Return X = A s (frequency, frequency, channel, example)."""
        return to_frequencies(self.A, self.to_maps(state, self.shape))

    def prepare_kernels(self, W):
        """Return V = E W (frequency, frequency, channel, n)."""
        return to_frequencies(self.E, W.reshape(*self.kernel_shape, self.shape[2], -1))

    def prepare_maps(self, dz):
        """Return G = B^H dz (frequency, frequency, n, example)."""
        return to_frequencies(adjoint(self.B), dz)

    def correlate(self, X, V):
        return to_places(self.B, xp.matmul(V.transpose(0, 1, 3, 2), X))

    def kernel_gradient(self, X, G):
        return xp.matmul(X.conj(), G.transpose(0, 1, 3, 2))

    def restore_kernels(self, dV):
        """Return dC/dW = Re(E^H dV) for `dV` = conj(X) G^T."""
        return to_places(adjoint(self.E), dV).reshape(self.patch_size, -1)

    def deconvolve(self, G, V):
        return self.to_rows(to_places(adjoint(self.A), xp.matmul(V.conj(), G)))


def adjoint(pair):
    """Return the conjugate transposes of a `pair` of matrices."""
    return [matrix.conj().T for matrix in pair]


def to_frequencies(pair, a):
    """Multiply `a` (row, column, ...) by a `pair` of matrices, by the second along columns, by the first along rows."""
    return multiply_rows(pair[0], multiply_columns(pair[1], a))


def to_places(pair, a):
    """Return the real part of `a` times a `pair` of matrices, the first along rows, then the second along columns."""
    return multiply_columns(pair[1], multiply_rows(pair[0], a)).real


def multiply_rows(matrix, a):
    """Return the product of `matrix` and `a` along the first axis of `a`."""
    return xp.matmul(matrix, a.reshape(len(a), -1)).reshape(-1, *a.shape[1:])


def multiply_columns(matrix, a):
    """Return the product of `matrix` and `a` along the second axis of `a`."""
    return xp.matmul(matrix, a.reshape(*a.shape[:2], -1)).reshape(len(a), -1, *a.shape[2:])


def choose_correlation(shape, kernel_shape, stride, pad, n):
    """
    Return the `Correlation` with `n` kernels in the faster of its two forms: direct, or by spectra.

    The number of multiplications for one picture decides.  Those by spectra are complex, four real ones each, and count
    twice, because products of such small matrices are half as fast.

    Parameters
    ----------
    shape, kernel_shape, stride, pad
        As in `Correlation`.
    n : int

    Returns
    -------
    Correlation
    """
    direct = Correlation(shape, kernel_shape, stride, pad)
    (rows, cols, channels), (height, width) = shape, direct.out_shape
    F, H = rows + pad, (cols + pad) // 2 + 1
    transforms = (rows * cols + F * rows) * H * channels + (F * height + height * width) * H * n
    by_spectra = 8 * (transforms + F * H * channels * n)
    by_patches = height * width * direct.patch_size * n
    if stride == (1, 1) and max(F, cols + pad) <= LONGEST and by_spectra < by_patches:
        return FourierCorrelation(shape, kernel_shape, pad)
    return direct
