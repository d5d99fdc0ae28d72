"""Cross-correlation by the convolution theorem, its Fourier transforms and their adjoints as small matrices."""
import numpy as np

from npgan import backend
from npgan.backend import xp
from npgan.kernels.patches import Correlation

LONGEST = 256                       # places on a circle whose matrices are small beside the maps


class FourierCorrelation(Correlation):
    """
    `Correlation` in strides of 1 by the convolution theorem: for large kernels, far fewer multiplications.

    Along one axis, with N = side + P places on a circle, on which both margins are the same P zeros, let

        X[f] = sum_y s[y] e^(-2 pi i f (y + P) / N)        V[f] = sum_r W[r] e^(2 pi i f r / N).

    Then, as the sum over f of e^(2 pi i f k / N) is N where N divides k and 0 elsewhere,

        (1/N) sum_f X[f] V[f] e^(2 pi i f j / N) = sum of s[y] W[r] over y + P = j + r (mod N) = z[j];

    and so along both axes, with a sum over channels at each pair of frequencies.  Along columns half of the f are
    enough: as s and W are real, those of f and N - f are conjugate, and twice the real part is their sum.

    All are linear maps, X = A s, V = E W and z = Re(B Z), so the adjoints are their conjugate transposes (derived
    here).  With G = B^H dz,

        Z = V^T X        dC/dW = Re(E^H conj(X) G^T)        dC/ds = Re(A^H conj(V) G).

    Every z is a sum over the whole picture, rounded as its largest numbers are: where the direct way finds equal z, on
    an even ground say, these differ in their last digits, and by those a maximum over them chooses its place.

    A transform of a side of some 20 is a matrix so small that its product takes less time than a fast transform.

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
            """For rows and for columns the matrix e^(sign 2 pi i f y / N) of frequencies f and places y."""
            return [np.exp(sign * 2j * np.pi * np.outer(f, first + np.arange(length)) / N)
                    for f, length, N in zip(frequencies, lengths, self.circle)]

        A, E, B = waves(-1, pad, shape[:2]), waves(1, 0, kernel_shape), waves(1, 0, self.out_shape)
        twice = 1 + (frequencies[1] * 2 % self.circle[1] > 0)
        B = [B[0].T / self.circle[0], B[1].T * twice / self.circle[1]]
        kind = "complex64" if backend.floatX == "float32" else "complex128"
        self.A, self.E, self.B = ([xp.asarray(matrix, dtype=kind) for matrix in pair] for pair in (A, E, B))

    def pictures(self, state):
        """X (frequency, frequency, channel, example)."""
        return spectrum(self.A, self.to_maps(state, self.shape))

    def kernels(self, W):
        """V (frequency, frequency, channel, n)."""
        return spectrum(self.E, W.reshape(*self.kernel_shape, self.shape[2], -1))

    def signal(self, dz):
        """G (frequency, frequency, n, example)."""
        return spectrum(adjoints(self.B), dz)

    def correlate(self, X, V):
        return places(self.B, xp.matmul(V.transpose(0, 1, 3, 2), X))

    def kernel_gradient(self, X, G):
        return xp.matmul(X.conj(), G.transpose(0, 1, 3, 2))

    def kernels_back(self, dV):
        """dC/dW, for `dV` = conj(X) G^T."""
        return places(adjoints(self.E), dV).reshape(self.patch_size, -1)

    def adjoint(self, G, V):
        return self.to_rows(places(adjoints(self.A), xp.matmul(V.conj(), G)))


def adjoints(pair):
    """The conjugate transpose of each of a `pair` of matrices."""
    return [matrix.conj().T for matrix in pair]


def spectrum(pair, a):
    """`a` (row, column, ...) by a `pair` of matrices, the second along columns, then the first along rows."""
    return along_rows(pair[0], along_columns(pair[1], a))


def places(pair, a):
    """The real part of `a` by a `pair` of matrices, the first along rows, then the second along columns."""
    return along_columns(pair[1], along_rows(pair[0], a)).real


def along_rows(matrix, a):
    """The product of the `matrix` and `a` along the first axis of `a`."""
    return xp.matmul(matrix, a.reshape(len(a), -1)).reshape(-1, *a.shape[1:])


def along_columns(matrix, a):
    """The product of the `matrix` and `a` along the second axis of `a`."""
    return xp.matmul(matrix, a.reshape(*a.shape[:2], -1)).reshape(len(a), -1, *a.shape[2:])


def choose_correlation(shape, kernel_shape, stride, pad, n):
    """
    The `Correlation` with `n` kernels in the way that takes less time: direct, or by spectra.

    Multiplications for one picture decide.  Those by spectra are complex, four real ones each, and count twice, as
    products of such small matrices are half as fast.

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
    fewer = 8 * (transforms + F * H * channels * n) < height * width * direct.patch_size * n
    if stride == (1, 1) and max(F, cols + pad) <= LONGEST and fewer:
        return FourierCorrelation(shape, kernel_shape, pad)
    return direct
