"""Where weights and biases start."""
from npgan import backend
from npgan.backend import check_stream, xp
from npgan.checks import check_finite_number, check_positive_ints, count_numbers


def initial_weights(nvis, dim, rng, irange=None, istdev=None, sparse_init=None, sparse_stdev=1.):
    """
    W (nvis, dim), drawn from `rng` by exactly one of three ways.

    Parameters
    ----------
    nvis, dim : int
    rng : RandomStream
    irange : float
        Uniform on [-irange, irange).
    istdev : float
        Normal with this standard deviation.
    sparse_init, sparse_stdev : int and float
        Zero but for `sparse_init` weights into each unit, at random, normal with standard deviation `sparse_stdev`.

    Returns
    -------
    array (nvis, dim) of floatX
    """
    if sum(way is not None for way in (irange, istdev, sparse_init)) != 1:
        raise ValueError("give exactly one of irange, istdev and sparse_init, "
                         f"got irange={irange}, istdev={istdev}, sparse_init={sparse_init}")
    check_stream(rng)
    if irange is not None:
        return rng.uniform(-check_finite_number("irange", irange), irange, (nvis, dim))
    if istdev is not None:
        return float(check_finite_number("istdev", istdev)) * rng.normal((nvis, dim))
    check_positive_ints(sparse_init=sparse_init)
    check_finite_number("sparse_stdev", sparse_stdev)
    if sparse_init > nvis:
        raise ValueError(f"sparse_init must be between 1 and nvis = {nvis}, got {sparse_init}")
    rows = xp.stack([xp.asarray(rng.permutation(nvis)[:sparse_init]) for _ in range(dim)], axis=1)
    W = xp.zeros((nvis, dim), backend.floatX)
    W[rows, xp.arange(dim)] = sparse_stdev * rng.normal((sparse_init, dim))
    return W


def initial_bias(init_bias, shape):
    """b of a `shape`, a new array of floatX: `init_bias`, a number or an array of that shape, all finite."""
    bias = backend.asarray(init_bias)
    if bias.shape not in ((), shape) or not xp.isfinite(bias).all():
        wrong = "NaN or infinity" if bias.shape in ((), shape) else f"shape {bias.shape}"
        raise ValueError(f"init_bias must be a finite number or finite numbers of shape {shape}, got {wrong}")
    return xp.zeros(count_numbers(shape), backend.floatX).reshape(shape) + bias


def marginal_bias(X):
    """
    The biases with which a sigmoid output starts at the mean of the data, b = log(mu / (1 - mu)) (Pylearn2's).

    Parameters
    ----------
    X : array (n, d), with least value 0 and greatest 1
        Training rows; the column means mu are clipped to [1e-7, 1 - 1e-7].

    Returns
    -------
    array (d,)
    """
    low, high = float(X.min()), float(X.max())
    if (low, high) != (0, 1):
        raise ValueError("marginal_bias wants data whose least value is 0 and whose greatest is 1, "
                         f"got {low:g} to {high:g}; rescale them")
    mu = xp.clip(X.mean(axis=0, dtype="float64"), 1e-7, 1 - 1e-7)
    return backend.asarray(xp.log(mu / (1 - mu)))
