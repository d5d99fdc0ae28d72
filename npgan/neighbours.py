"""The nearest training examples, which Figure 2 shows beside the samples."""
from npgan import backend
from npgan.backend import xp


def nearest(samples, X):
    """
    Return for each sample the index of the nearest training row, in squared Euclidean distance.

    The distance is |x - s|^2 = |x|^2 - 2 x.s + |s|^2.  Its last term is the same for every row x and is left out.  The
    sums are in float64, because for near rows the terms almost cancel.

    Parameters
    ----------
    samples : array_like (n, d)
    X : array_like (N, d)

    Returns
    -------
    backend int array (n,)
        Indices of rows of X, the first one where several are equally near.
    """
    samples = backend.asarray(samples, "float64", name="samples")
    smallest = xp.full(len(samples), xp.inf)
    rows = xp.zeros(len(samples), dtype="int64")
    for start in range(0, len(X), 1000):                        # in blocks, because all distances need much memory
        x = backend.asarray(X[start:start + 1000], "float64", name="X")
        distance = xp.sum(x * x, axis=1) - 2 * xp.matmul(samples, x.T)
        closest = xp.min(distance, axis=1)
        rows = xp.where(closest < smallest, start + xp.argmin(distance, axis=1), rows)
        smallest = xp.minimum(smallest, closest)
    return rows
