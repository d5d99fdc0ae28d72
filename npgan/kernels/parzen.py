"""The sums of the Parzen window, `npgan.plain.parzen_window`, in blocks that fit into memory and caches."""
import numpy as np

from npgan.backend import xp
from npgan.kernels.threads import in_parallel, shares

ROWS, SAMPLES = 1000, 10000         # all cores together hold a block of the matrix of distances of this size, 40 MB
STRIP = 2**17                       # entries of such a block that one core works on at a time; they stay in its cache


def slices(stop, size, start=0):
    """Return the slices of `size` that cut start, ..., stop - 1; the last one may be shorter."""
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]


def half_norms(a):
    """Return ||a_i||^2 / 2 of each row of `a`."""
    return xp.einsum("ij,ij->i", a, a) / 2


def sum_exponentials(x, samples, centre, sigmas):
    """
    Return the nearest sample's exponent and the sum of exponentials beside it, for each row of x.

    The squared distances come from one product of matrices,

        -||x - mu||^2 / 2 = x.mu - ||mu||^2 / 2 - ||x||^2 / 2,

    with x and mu about the `centre`, which keeps the three terms small, and therefore their rounding errors.

    Parameters
    ----------
    x : array (n, d)
    samples : array (N, d)
        mu, at most `SAMPLES` of them.
    centre : array (d,)
    sigmas : NumPy array (S,)

    Returns
    -------
    nearest : array (n,)
        max_j -||x_i - mu_j||^2 / 2.
    total : array (S, n)
        sum_j exp((-||x_i - mu_j||^2 / 2 - nearest_i) / sigma^2).
    """
    mu = samples - centre
    half_norms_of_mu = half_norms(mu)
    nearest, total = xp.empty(len(x), x.dtype), xp.empty((len(sigmas), len(x)), x.dtype)
    parts = shares(len(x))
    size = max(1, ROWS // len(parts))

    def work(part):
        products = xp.empty((min(size, part.stop - part.start), len(mu)), x.dtype)
        for rows in slices(part.stop, size, part.start):
            centred = x[rows] - centre
            t = xp.matmul(centred, mu.T, out=products[:len(centred)])
            t_max = sum_strips(t, half_norms_of_mu, sigmas, total[:, rows])
            nearest[rows] = xp.minimum(t_max - half_norms(centred), 0)          # rounding may give a little more than 0

    in_parallel(work, parts)
    return nearest, total


def sum_strips(t, half_norms_of_mu, sigmas, total):
    """
    Subtract `half_norms_of_mu` from the rows of `t`, and return the largest entry of each row.

    Write sum_j exp((t_ij - max_j t_ij) / sigma^2) into `total`, a row for each of the `sigmas`.
    """
    t_max = xp.empty(len(t), t.dtype)
    strips = slices(len(t), max(1, STRIP // t.shape[1])) if xp.module is np else [slice(None)]
    for strip in strips:
        s = t[strip]
        s -= half_norms_of_mu
        xp.max(s, axis=1, out=t_max[strip])
        s -= t_max[strip, None]
        e = xp.empty_like(s)
        for i, sigma in enumerate(sigmas):
            xp.multiply(s, float(1 / sigma**2), out=e)
            xp.clip(e, -80., 0., out=e)                 # e^-80 is negligible beside e^0; denormal numbers are slow
            xp.exp(e, out=e)
            total[i, strip] = xp.einsum("ij->i", e)
    return t_max
