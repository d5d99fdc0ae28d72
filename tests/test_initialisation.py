import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npgan.backend import RandomStream, asarray, to_numpy
from npgan.initialisation import marginal_bias
from npgan.layers import Linear, Maxout, Sigmoid


@pytest.mark.parametrize("arguments, std, bound", [
    ({"irange": .05}, .05 / 3 ** .5, .05),
    ({"istdev": .3}, .3, np.inf),
    ({"istdev": np.sqrt(.09)}, .3, np.inf)], ids=["irange", "istdev", "istdev of NumPy"])
def test_dense_initial_weights(arguments, std, bound):
    """With any other seed right weights fail with probability 3e-8: 12 numbers, each within six standard errors."""
    W = to_numpy(Linear(300, 200, rng=RandomStream(8), **arguments).W)
    n = W.size
    assert W.dtype == "float32" and W.shape == (300, 200)
    assert abs(W).max() <= bound
    assert abs(W.mean()) < 6 * std / n ** .5
    assert abs(W.var() / std ** 2 - 1) < 6 * (2 / n) ** .5                  # the wider of the two laws' errors
    if bound < np.inf:
        counts = np.histogram(W, bins=10, range=(-bound, bound))[0]
        assert abs(counts - n / 10).max() < 6 * (.09 * n) ** .5             # flat


def test_layers_draw_different_weights_from_one_stream():
    rng = RandomStream(8)
    first, second = Linear(4, 3, .1, rng), Linear(4, 3, .1, rng)
    assert (to_numpy(first.W) != to_numpy(second.W)).all()      # two of 12 pairs of float32 are equal: 7e-7


@pytest.mark.usefixtures("float64")                             # in float32 one normal in 2^23 is 0
@pytest.mark.parametrize("s", [1, 3, 6])
def test_sparse_initial_weights(s):
    """With any other seed right weights fail with probability 2e-8: 8 numbers, each within six standard errors."""
    dim = 5000
    W = to_numpy(Linear(6, dim, sparse_init=s, sparse_stdev=2., rng=RandomStream(8)).W)
    assert_array_equal((W != 0).sum(axis=0), s)
    share = (W != 0).mean(axis=1)
    assert abs(share - s / 6).max() <= 6 * (s / 6 * (1 - s / 6) / dim) ** .5    # each row as often
    weights = W[W != 0]
    assert abs(weights.mean()) < 6 * 2 / weights.size ** .5
    assert abs(weights.var() / 4 - 1) < 6 * (2 / weights.size) ** .5


def test_initial_bias():
    rng = RandomStream(8)
    assert_array_equal(to_numpy(Linear(2, 3, .1, rng).b), [0, 0, 0])
    assert_array_equal(to_numpy(Linear(2, 3, .1, rng, init_bias=-2).b), [-2, -2, -2])
    assert_array_equal(to_numpy(Maxout(2, 1, 3, .1, rng, init_bias=[1, 2, 3]).b), [1, 2, 3])
    with pytest.raises(ValueError, match=r"finite numbers of shape \(3,\), got shape \(1, 3\)"):
        Linear(2, 3, .1, rng, init_bias=np.zeros((1, 3)))
    for bias in np.nan, [0, np.inf, 0]:
        with pytest.raises(ValueError, match="init_bias must be a finite number or .*, got NaN or infinity"):
            Linear(2, 3, .1, rng, init_bias=bias)


@pytest.mark.usefixtures("float64")
def test_marginal_bias_is_the_logit_of_the_mean():
    X = asarray([[0, 1, 0, 0], [0, 1, 1, 1], [0, 1, 0, 0], [0, 1, 1, 0.]])
    expected = [-16.11809555096, 16.11809555096, 0, -np.log(3)]             # of dead, full, even and rare pixels
    assert_allclose(to_numpy(marginal_bias(X)), expected, rtol=1e-10, atol=1e-15)


def test_sigmoids_start_at_the_mean_of_the_data():
    X = asarray([[0, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 1.]])
    layer = Sigmoid(2, 3, 0., RandomStream(0), init_bias=marginal_bias(X))
    assert_allclose(to_numpy(layer.fprop(asarray([[.3, -2]]))), [[1e-7, .25, .5]], rtol=1e-5)


@pytest.mark.parametrize("low, high", [(0, 255), (0, .9), (.1, 1), (-1, 1), (0, np.nan)])
def test_marginal_bias_needs_data_from_0_to_1(low, high):
    with pytest.raises(ValueError, match="smallest value of X must be 0"):
        marginal_bias(asarray([[low, high]]))


@pytest.mark.parametrize("arguments, message", [
    ({}, "exactly one of irange, istdev and sparse_init"),
    ({"irange": .1, "istdev": .1}, "exactly one of irange, istdev and sparse_init"),
    ({"irange": .1, "sparse_init": 1}, "exactly one of irange, istdev and sparse_init"),
    ({"sparse_init": 5}, "sparse_init must be between 1 and nvis = 4, got 5"),
    ({"sparse_init": 0}, "sparse_init must be .* got 0"),
    ({"sparse_init": 1.5}, "sparse_init must be a whole number .* got 1.5"),
    *[({name: value, **more}, f"{name} must be a finite number of float32, got ")
      for name, more in (("irange", {}), ("istdev", {}), ("sparse_stdev", {"sparse_init": 1}))
      for value in (np.nan, -np.inf, 1e39)]])
def test_bad_initial_weights(arguments, message):
    with pytest.raises(ValueError, match=message):
        Linear(4, 3, rng=RandomStream(0), **arguments)


def test_initial_weights_need_a_stream():
    with pytest.raises(TypeError, match="rng=npgan.backend.RandomStream"):
        Linear(4, 3, .1)
