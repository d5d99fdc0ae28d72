"""The nearest training examples, as in Figure 2."""
from npgan import backend
from npgan.backend import xp


def nearest(samples, X):
    """
    The training row with the smallest squared Euclidean distance to each sample.

    |x - s|^2 = |x|^2 - 2 x.s + |s|^2, of which the last is the same for every row x.  In float64, since the terms
    nearly cancel where it matters.

    Parameters
    ----------
    samples : array_like (n, d)
    X : array_like (N, d)

    Returns
    -------
    backend int array (n,)
        Rows of X; the first of equal ones.
    """
    samples = backend.asarray(samples, "float64", name="samples")
    smallest = xp.full(len(samples), xp.inf)
    rows = xp.zeros(len(samples), dtype="int64")
    for start in range(0, len(X), 1000):
        x = backend.asarray(X[start:start + 1000], "float64", name="X")
        distance = xp.sum(x * x, axis=1) - 2 * xp.matmul(samples, x.T)
        closer = xp.min(distance, axis=1) < smallest
        rows = xp.where(closer, start + xp.argmin(distance, axis=1), rows)
        smallest = xp.minimum(smallest, xp.min(distance, axis=1))
    return rows
