import tracemalloc
from decimal import Context, Decimal, localcontext
from math import log, sqrt

import numpy as np
import pytest
from differences import law
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from scipy.special import logsumexp

from npgan import parzen
from npgan.backend import asarray, to_numpy, xp
from npgan.datasets import finding, mnist
from npgan.kernels import parzen as in_blocks
from npgan.parzen import (
    Result,
    SamplesOutOfRange,
    StreamingParzen,
    choose_sigma,
    evaluate,
    log_likelihood,
    over_folds,
)

float64 = pytest.mark.usefixtures("float64")


def by_scipy(x, samples, sigma):
    """Return log p in float64, one row at a time, from the normal density of each coordinate."""
    return np.array([logsumexp(stats.norm.logpdf(row, samples, sigma).sum(axis=1)) - log(len(samples))
                     for row in x.astype(float)])


def ours(x, samples, sigmas):
    return to_numpy(log_likelihood(asarray(x), asarray(samples), sigmas))


def near_rows(rng, n, N, d):
    """Return n rows near some of N pictures in [0, 1], and the pictures: distances are much smaller than norms."""
    samples = rng.beta(.3, 1.2, size=(N, d))
    return samples[rng.randint(N, size=n)] + rng.normal(scale=.1, size=(n, d)), samples


# Values known from elsewhere

@float64
@pytest.mark.parametrize("num_samples", [1, 7, 5000])
def test_all_samples_at_x_in_784_dimensions(num_samples):
    x = np.random.RandomState(1).uniform(size=(1, 784))
    assert ours(x, np.repeat(x, num_samples, axis=0), 1.) == pytest.approx(-720.4478100, abs=1e-7)


@pytest.mark.parametrize("sigma", [.1, .1668, 1.])
def test_float32_agrees_with_scipy_to_a_hundredth_of_a_nat(sigma):
    x, samples = (a.astype("float32") for a in near_rows(np.random.RandomState(1), 20, 300, 784))
    assert_allclose(ours(x, samples, sigma), by_scipy(x, samples.astype(float), sigma), rtol=0, atol=1e-2)


@float64
@pytest.mark.parametrize("sigma", [.1, .1668, 1.])
def test_float64_agrees_with_scipy(sigma):
    x, samples = near_rows(np.random.RandomState(1), 20, 300, 784)
    assert_allclose(ours(x, samples, sigma), by_scipy(x, samples, sigma), rtol=1e-8)


@float64
@pytest.mark.parametrize("d", [1, 2, 3])
def test_agrees_with_gaussian_kde(d):
    """SciPy's windows have the covariance of the samples times a factor squared; here that covariance is 1."""
    rng = np.random.RandomState(d)
    samples = rng.normal(size=(50, d))
    samples = samples @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(samples.T)))).T
    x = rng.normal(scale=3, size=(20, d))
    assert_allclose(ours(x, samples, .4), stats.gaussian_kde(samples.T, bw_method=.4).logpdf(x.T), rtol=1e-9)


@float64
def test_density_integrates_to_1():
    x = np.linspace(-12, 12, 4001)
    log_p = ours(x[:, None], np.array([[-2.], [.5], [.6], [3.]]), [.1, .5, 1.])
    assert_allclose(integrate.simpson(np.exp(log_p), x=x), 1, rtol=1e-9)


@float64
def test_samples_of_a_gaussian_make_a_wider_gaussian():
    """Windows of width sigma on samples of N(0, 1), here its quantiles, make the density N(0, 1 + sigma^2)."""
    x, sigma = np.linspace(-2, 2, 9), .5
    samples = stats.norm.ppf((np.arange(20000) + .5) / 20000)
    expected = stats.norm.logpdf(x, scale=sqrt(1 + sigma ** 2))
    assert_allclose(ours(x[:, None], samples[:, None], sigma), expected, atol=1e-4)


@float64
def test_far_rows_do_not_underflow():
    x = np.array([[1e3], [-1e3]])
    assert_allclose(ours(x, np.array([[0.], [1.]]), .1), stats.norm.logpdf([999, 1000], scale=.1) - log(2), rtol=1e-12)


# Laws

matrices = st.integers(1, 4).flatmap(lambda d: st.tuples(*(
    arrays(float, st.tuples(st.integers(1, 5), st.just(d)), elements=st.floats(-3, 3, width=32)) for _ in range(2))))
sigmas = st.floats(.1, 3)


@float64
@law
@given(matrices, sigmas, st.floats(-100, 100))
def test_translation_changes_nothing(both, sigma, shift):
    x, samples = both
    assert_allclose(ours(x + shift, samples + shift, sigma), ours(x, samples, sigma), rtol=1e-8, atol=1e-8)


@float64
@law
@given(matrices, sigmas, st.randoms(use_true_random=False))
def test_the_order_of_samples_and_copies_of_all_of_them_change_nothing(both, sigma, random):
    x, samples = both
    order = list(range(len(samples))) * 3
    random.shuffle(order)
    assert_allclose(ours(x, samples[order], sigma), ours(x, samples, sigma), rtol=1e-9, atol=1e-9)


@float64
@law
@given(matrices, sigmas, st.floats(.1, 10))
def test_change_of_units(both, sigma, c):
    x, samples = both
    expected = ours(x, samples, sigma) - x.shape[1] * log(c)
    assert_allclose(ours(c * x, c * samples, c * sigma), expected, rtol=1e-8, atol=1e-8)


# Blocks, streams, several sigmas

@float64
def test_size_of_the_blocks_changes_nothing(monkeypatch):
    x, samples = near_rows(np.random.RandomState(1), 50, 70, 5)
    whole = ours(x, samples, [.1, .7])
    monkeypatch.setattr(parzen, "SAMPLES", 9)
    monkeypatch.setattr(in_blocks, "ROWS", 8)
    monkeypatch.setattr(in_blocks, "STRIP", 20)
    assert_allclose(ours(x, samples, [.1, .7]), whole, rtol=1e-12)


@float64
def test_several_sigmas_at_once_give_the_values_of_each_alone():
    x, samples = near_rows(np.random.RandomState(1), 8, 9, 3)
    together = ours(x, samples, parzen.SIGMAS)
    assert_allclose(together, [ours(x, samples, sigma) for sigma in parzen.SIGMAS], rtol=1e-12)
    assert ours(x, samples, [.2]).shape == (1, 8) and ours(x, samples, .2).shape == (8,)


@float64
@pytest.mark.parametrize("sizes", [[12], [1] * 12, [5, 1, 6]], ids=str)
def test_streaming_equals_batch(sizes):
    x, samples = near_rows(np.random.RandomState(1), 6, 12, 4)
    parzen = StreamingParzen(asarray(x), .3)
    for part in np.split(samples, np.cumsum(sizes)[:-1]):
        parzen.add(asarray(part[0] if len(part) == 1 else part))
    assert parzen.num_samples == 12
    assert_allclose(to_numpy(parzen.log_p), ours(x, samples, .3), rtol=1e-12)


@pytest.mark.numpy_only
def test_memory_does_not_grow_with_the_matrix_of_distances():
    a = np.zeros((8000, 16), "float32")                         # 256 MB of distances
    tracemalloc.start()
    log_likelihood(a, a, .2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


# The procedure

def test_sigmas_are_the_authors():
    assert_allclose(parzen.SIGMAS, [.1, .1292, .1668, .2154, .2783, .3594, .4642, .5995, .7743, 1], atol=5e-5)


@float64
def test_sigma_of_the_largest_mean_is_chosen():
    """The best sigma for rows at distance r from the only sample, in d dimensions, is r / sqrt(d)."""
    sigma, curve = choose_sigma(asarray([[3., 4], [0, -5]]), asarray([[0., 0]]), [1, 3, sqrt(12.5), 4, 9])
    assert sigma == sqrt(12.5) and type(sigma) is float
    assert_allclose(curve, stats.norm.logpdf([[3, 4]], scale=np.array([[1, 3, sqrt(12.5), 4, 9]]).T).sum(axis=1))


def test_first_sigma_is_chosen_on_ties(monkeypatch):
    monkeypatch.setattr(parzen, "log_likelihood", lambda x, samples, sigmas: xp.zeros((3, 4)))
    assert choose_sigma(None, None, [.3, .1, .2]) == (.3, (0, 0, 0))


@float64
def test_result_by_hand():
    """Under one N(0, 1) the rows 0 and 2 have log-densities -.9189 and -2.9189: mean -1.9189, deviation 1."""
    result = evaluate(asarray([[0.], [2.]]), asarray([[1.], [-1.]]), asarray([[0.]]), [.5, 1, 2])
    assert result.mean == pytest.approx(-1.9189385332) and result.standard_error == pytest.approx(sqrt(1 / 2))
    assert result.sigma == 1 and result.sigmas == (.5, 1, 2) and result.curve[1] == pytest.approx(-1.4189385332)
    assert {type(v) for v in (*result[:3], *result.sigmas, *result.curve)} == {float}
    assert str(result) == "test log-likelihood: -1.92 +- 0.71 nats (sigma 1, 1 samples)"


def test_over_folds_by_hand():
    folds = [Result(float(mean), 9., .2, (.2,), (0.,), 10) for mean in (1, 2, 3, 4, 5)]
    assert over_folds(folds) == pytest.approx((3, sqrt(2.5 / 5)))
    with pytest.raises(ValueError, match="2 folds or more, got 1"):
        over_folds(folds[:1])


@pytest.mark.numpy_only
@pytest.mark.skipif(not all(map(finding.find, mnist.FILES)), reason="no folder of NPGAN_DATA_PATH holds MNIST")
def test_mnists_training_rows():
    """Theis et al. (2016), Table 1, give 243 nats for 10,000 samples of the true distribution."""
    log_p = log_likelihood(mnist.load("test").X[::5], mnist.load("train").X[:10000], .1668)
    assert abs(log_p.mean() - 243) < 3 * log_p.std() / sqrt(len(log_p))


# Bad input

@pytest.mark.parametrize("x, samples, sigmas, error, message", [
    ([[0.]], [[0.]], 0., ValueError, "positive number or more, .*, got 0.0"),
    ([[0.]], [[0.]], [.1, -2], ValueError, r"got \[0.1, -2\]"),
    ([[0.]], [[0.]], float("nan"), ValueError, "got nan"),
    ([[0.]], [[0.]], [], ValueError, r"got \[\]"),
    ([[0.]], np.zeros((0, 1)), 1., ValueError, r"samples must be \(rows, width\), .* got shape \(0, 1\)"),
    (np.zeros((0, 1)), [[0.]], 1., ValueError, r"x must be .* got shape \(0, 1\)"),
    ([0.], [[0.]], 1., ValueError, r"x must be .* got shape \(1,\)"),
    ([[0.]], [[0., 1]], 1., ValueError, r"one width, got shapes \(1, 1\) and \(1, 2\)"),
    ([[0.], [float("nan")]], [[0.]], 1., ValueError, "x must be finite, got NaN or infinity in row 1"),
    ([[0.]], [[0.], [float("inf")]], 1., ValueError, "samples must be finite, .* in row 1"),
])
def test_bad_input(x, samples, sigmas, error, message):
    with pytest.raises(error, match=message):
        log_likelihood(asarray(x), asarray(samples), sigmas)


@pytest.mark.parametrize("floatX, least, largest", [("float32", 2e-19, 9e18), ("float64", 1e-153, 6e153)])
def test_a_sigma_whose_square_overflows_or_underflows_is_refused(floatX, least, largest):
    """At the only sample the density is that of a Gaussian's centre, 1 / (sigma sqrt(2 pi))."""
    x = xp.ones((1, 1), floatX)
    for sigma in least, largest:
        assert float(log_likelihood(x, x, sigma)[0]) == pytest.approx(-log(sigma) - .9189385332, rel=1e-6)
    for sigma in least / 10, largest * 10, least**2, [.1, largest**1.5]:
        with pytest.raises(ValueError, match=f"sigmas must be one positive number or more, .* for {floatX}, got"):
            log_likelihood(x, x, sigma)


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_samples_come_in_the_precision_of_the_rows(floatX):
    x = np.random.RandomState(1).normal(size=(5, 3)).astype(floatX)
    mu = np.random.RandomState(2).normal(size=(7, 3)).astype("float32")
    expected = to_numpy(log_likelihood(xp.asarray(x), xp.asarray(mu.astype(floatX)), .5))
    for samples in (mu.tolist(), np.asfortranarray(mu), mu.astype("float64"), mu.astype(">f8")):
        for rows in (xp.asarray(x), np.asfortranarray(x), x.astype(x.dtype.newbyteorder(">"))):
            assert_array_equal(to_numpy(log_likelihood(rows, samples, .5)), expected)


def test_rows_must_be_real_numbers():
    good = asarray([[0.]])
    with pytest.raises(TypeError, match="x must be real numbers, got a masked array"):
        log_likelihood(np.ma.masked_invalid([[np.nan]]), good, 1.)
    with pytest.raises(TypeError, match="samples must be real numbers, got a numpy.matrix"):
        log_likelihood(good, np.array([[0.]]).view(np.matrix), 1.)


def test_log_p_needs_samples():
    with pytest.raises(ValueError, match="no samples yet"):
        StreamingParzen(asarray([[0.]]), 1.).log_p        # noqa: B018


@pytest.mark.numpy_only
@pytest.mark.parametrize("floatX, large", [("float32", 1e19), ("float32", 3e38), ("float64", 1e154)])
def test_rows_whose_distances_overflow_are_refused(floatX, large):
    ones, rows = np.ones((3, 2), floatX), np.array([[0, 1], [1, large]], floatX)
    for name, x, samples in ("x", rows, ones), ("samples", ones, rows):
        with pytest.raises(ValueError, match=f"{name} must be of magnitudes up to .*, got more in row 1") as caught:
            log_likelihood(x, samples, .2)
        assert (caught.type is SamplesOutOfRange) == (name == "samples")        # as in a game that diverged


@pytest.mark.numpy_only
@pytest.mark.parametrize("floatX, atol", [("float32", 1e-6), ("float64", 1e-14)])
def test_the_log_of_a_mean_of_exponentials_over_the_whole_range(floatX, atol):
    """Rows one by one, near two centres and as far away as possible, against the definition in 60 digits."""
    info, centres = np.finfo(floatX), np.array([[0], [.125]], floatX)
    far = np.geomspace(float(info.tiny), float(info.max) ** .5 / 5, 40)
    with localcontext(Context(prec=60, traps=[])):
        normaliser = (Decimal(.25) * Decimal("6.283185307179586476925286766559005768394").sqrt()).ln()
        for v in np.concatenate([far, -far, np.linspace(-3, 3, 21)]).astype(floatX):
            exponents = [-(Decimal(float(v)) - Decimal(float(c))) ** 2 * 8 for c, in centres]
            peak, other = sorted(exponents, reverse=True)
            expected = peak + ((1 + (other - peak).exp()) / 2).ln() - normaliser
            found, = log_likelihood(np.array([[v]]), centres, .25)
            assert_allclose(found, float(expected), rtol=8 * info.eps, atol=atol)
