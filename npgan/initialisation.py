"""Initial weights and biases."""
from npgan import backend
from npgan.backend import check_stream, xp
from npgan.checks import check_finite_number, check_positive_ints


def initial_weights(nvis, dim, rng, irange=None, istdev=None, sparse_init=None, sparse_stdev=1.):
    """
    Draw W (nvis, dim) in one of three ways: give exactly one of irange, istdev and sparse_init.

    Parameters
    ----------
    nvis, dim : int
    rng : RandomStream
    irange : float
        The weights are uniform on [-irange, irange).
    istdev : float
        The weights are normal with this standard deviation.
    sparse_init, sparse_stdev : int and float
        Each unit has `sparse_init` weights at random places, normal with standard deviation `sparse_stdev`; its other
        weights are 0.

    Returns
    -------
    array (nvis, dim) of floatX
    """
    if sum(way is not None for way in (irange, istdev, sparse_init)) != 1:
        raise ValueError("exactly one of irange, istdev and sparse_init must be given, "
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
    """Return b, a new array of a `shape`, filled with `init_bias`: a finite number or an array of that shape."""
    bias = backend.asarray(init_bias)
    must = f"init_bias must be a finite number or finite numbers of shape {shape}"
    if bias.shape not in ((), shape):
        raise ValueError(f"{must}, got shape {bias.shape}")
    if not xp.isfinite(bias).all():
        raise ValueError(f"{must}, got NaN or infinity")
    b = xp.zeros(shape, backend.floatX)
    if bias.any():                                      # zeros take no memory until they are changed
        b += bias
    return b


def marginal_bias(X):
    """
    Return the biases b = log(mu / (1 - mu)) with which sigmoid outputs start at the data's mean mu (as in Pylearn2).

    Parameters
    ----------
    X : array (n, d), with smallest value 0 and largest 1
        Training rows.  Their column means mu are clipped to [1e-7, 1 - 1e-7].

    Returns
    -------
    array (d,)
    """
    low, high = float(X.min()), float(X.max())
    if (low, high) != (0, 1):
        raise ValueError(f"the smallest value of X must be 0 and the largest 1, got {low:g} and {high:g}; rescale X")
    mu = xp.clip(X.mean(axis=0, dtype="float64"), 1e-7, 1 - 1e-7)
    return backend.asarray(xp.log(mu / (1 - mu)))
