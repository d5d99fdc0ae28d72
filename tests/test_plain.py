"""The fast code against `npgan.plain`, the paper's formulas as loops."""
import numpy as np
import pytest
from differences import law, small_pair
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from npgan import conv, plain
from npgan.adversarial import discriminator_step, generator_step, simultaneous_step
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.conv import Deconv, MaxoutConv
from npgan.costs import Saturating
from npgan.kernels.patches import Correlation, MaxPool
from npgan.kernels.spectra import FourierCorrelation
from npgan.layers import Linear, Maxout
from npgan.learning_rule import LearningRule, Momentum
from npgan.mlp import MLP
from npgan.parzen import StreamingParzen, log_likelihood

pytestmark = pytest.mark.usefixtures("float64")

seeds = st.integers(0, 10**6)
sides = st.integers(1, 5)
numbers = st.integers(1, 3)
pairs = st.tuples(numbers, numbers)
margins = st.integers(0, 3)


def normal(seed, *shape):
    return np.random.RandomState(seed).normal(size=shape)


# Maxout

@law
@given(sides, sides, sides, seeds)
def test_maxout_is_the_loops(d, m, k, seed):
    layer = Maxout(d, m, k, 1., RandomStream(seed), init_bias=normal(seed, m * k))
    W = to_numpy(layer.W).reshape(d, k, m).swapaxes(1, 2)              # piece p of unit u is column p m + u of layer.W
    b = to_numpy(layer.b).reshape(k, m).T
    X = normal(seed + 1, 3, d)
    assert_allclose(to_numpy(layer.fprop(asarray(X))), [plain.maxout(x, W, b) for x in X], rtol=1e-12, atol=1e-12)


# Convolution

@pytest.fixture(params=["by patches", "by spectra"])
def form(request, monkeypatch):
    """Layers correlate in one of the fast forms where it applies, and work on one picture at a time."""
    def choose(shape, kernel_shape, stride, pad, n):
        by_spectra = request.param == "by spectra" and stride == (1, 1)
        if by_spectra:
            return FourierCorrelation(shape, kernel_shape, pad)
        return Correlation(shape, kernel_shape, stride, pad)

    monkeypatch.setattr(conv, "choose_correlation", choose)
    monkeypatch.setattr(conv, "EXAMPLES", 1)


def correlations(shape, kernel_shape, stride, pad):
    """Return every fast form that computes this cross-correlation."""
    forms = [Correlation(shape, kernel_shape, stride, pad)]
    if stride == (1, 1):
        forms.append(FourierCorrelation(shape, kernel_shape, pad))
    return forms


@law
@given(st.tuples(sides, sides, numbers), st.tuples(sides, sides), st.one_of(st.just((1, 1)), pairs), margins, numbers,
       seeds)
def test_cross_correlation_and_its_gradients_are_the_loops(shape, kernel_shape, stride, pad, n, seed):
    """dC/ds is the deconvolution of dC/dz without what hangs over; dC/dW is exact, since z is linear in W."""
    rows, columns, channels = shape
    assume(all(k <= side + 2 * pad for k, side in zip(kernel_shape, shape)))
    pictures, W = normal(seed, 2, *shape), normal(seed + 1, *kernel_shape, channels, n)
    z = np.array([plain.cross_correlation(s, W, stride, pad) for s in pictures])
    dz = normal(seed + 2, *z.shape)
    ds = np.zeros_like(pictures)
    for i in range(2):
        h = plain.deconvolution(dz[i], W, stride, pad)[:rows, :columns]         # the rest of the picture met no kernel
        ds[i, :h.shape[0], :h.shape[1]] = h
    dW = plain.gradient(lambda W: sum((dz[i] * plain.cross_correlation(pictures[i], W, stride, pad)).sum()
                                      for i in range(2)), W, h=1.)

    for fast in correlations(shape, kernel_shape, stride, pad):
        X, V = fast.prepare_pictures(asarray(pictures.reshape(2, -1))), fast.prepare_kernels(asarray(W.reshape(-1, n)))
        G = fast.prepare_maps(fast.to_maps(asarray(dz), z.shape[1:]))
        assert_allclose(to_numpy(fast.to_rows(fast.correlate(X, V))), z.reshape(2, -1), rtol=1e-9, atol=1e-9)
        assert_allclose(to_numpy(fast.deconvolve(G, V)), ds.reshape(2, -1), rtol=1e-9, atol=1e-9)
        assert_allclose(to_numpy(fast.restore_kernels(fast.kernel_gradient(X, G))), dW.reshape(-1, n), rtol=1e-9,
                        atol=1e-9)


@law
@given(st.tuples(sides, sides, numbers), pairs, st.one_of(st.just((1, 1)), pairs), margins, numbers, numbers, pairs,
       pairs, seeds)
def test_a_convolutional_layer_is_the_loops(form, shape, kernel_shape, stride, pad, units, pieces, window, step, seed):
    assume(all(k <= side + 2 * pad for k, side in zip(kernel_shape, shape)))
    conv_sides = [-(-(side + 2 * pad - k) // t) + 1 for side, k, t in zip(shape, kernel_shape, stride)]
    assume(all(t <= w <= side for t, w, side in zip(step, window, conv_sides)))
    layer = MaxoutConv(shape, units, pieces, kernel_shape, window, step, 1., RandomStream(seed), pad=pad,
                       kernel_stride=stride, init_bias=normal(seed, *conv_sides, units * pieces))
    W = to_numpy(layer.W).reshape(*kernel_shape, shape[2], units * pieces)
    expected = []
    pictures = normal(seed + 1, 2, *shape)
    for s in pictures:
        z = plain.cross_correlation(s, W, stride, pad) + to_numpy(layer.b)
        pooled = plain.max_pooling(z, window, step)
        expected.append(pooled.reshape(*pooled.shape[:2], units, pieces).max(axis=3))
    assert layer.output_shape == expected[0].shape
    assert_allclose(to_numpy(layer.fprop(asarray(pictures.reshape(2, -1)))), np.reshape(expected, (2, -1)), rtol=1e-9,
                    atol=1e-9)


@law
@given(pairs, numbers, numbers, pairs, st.one_of(st.just((1, 1)), pairs), margins, seeds)
def test_a_deconvolutional_layer_is_the_loops(form, sides, below, above, kernel_shape, stride, pad_out, seed):
    output_sides = [t * (n - 1) + k - 2 * pad_out for n, k, t in zip(sides, kernel_shape, stride)]
    assume(min(output_sides) >= 1)
    layer = Deconv((*sides, below), above, kernel_shape, 1., RandomStream(seed), output_stride=stride, pad_out=pad_out,
                   init_bias=normal(seed, *output_sides, above))
    W = to_numpy(layer.W).reshape(*kernel_shape, above, below)
    states = normal(seed + 1, 2, *sides, below)
    expected = np.array([plain.deconvolution(s, W, stride, pad_out) + to_numpy(layer.b) for s in states])
    assert layer.output_shape == expected[0].shape
    assert_allclose(to_numpy(layer.fprop(asarray(states.reshape(2, -1)))), expected.reshape(2, -1), rtol=1e-9,
                    atol=1e-9)


@law
@given(st.tuples(sides, sides, numbers), pairs, pairs, seeds)
def test_max_pooling_is_the_loops(shape, window, stride, seed):
    assume(all(t <= w <= side for t, w, side in zip(stride, window, shape)))
    z = normal(seed, *shape)
    by_rows = MaxPool(0, shape[0], window[0], stride[0]).fprop(asarray(z))[0]
    found = MaxPool(1, shape[1], window[1], stride[1]).fprop(by_rows)[0]
    assert_allclose(to_numpy(found), plain.max_pooling(z, window, stride), rtol=0, atol=0)


# The Parzen window

@law
@given(sides, sides, sides, seeds)
def test_the_parzen_window_is_the_formula(n, N, d, seed):
    x, mu, sigmas = normal(seed, n, d), normal(seed + 1, N, d), (.5, 1., 3.)
    expected = [[plain.parzen_window(row, mu, sigma) for row in x] for sigma in sigmas]
    assert_allclose(to_numpy(log_likelihood(asarray(x), asarray(mu), sigmas)), expected, rtol=1e-9, atol=1e-9)


def test_samples_that_come_one_by_one_follow_the_recurrence():
    x, mu, sigma = normal(1, 4, 2), normal(2, 6, 2), .4
    exponents = [[-np.sum((row - mu_j) ** 2) / (2 * sigma ** 2) for row in x] for mu_j in mu]
    normaliser = 2 * np.log(sigma * np.sqrt(2 * np.pi))
    streaming, R = StreamingParzen(asarray(x), sigma).add(asarray(mu[0])), exponents[0]
    for n in range(1, len(mu)):
        streaming.add(asarray(mu[n]))
        R = [plain.parzen_recurrence(R_i, n, c_i) for R_i, c_i in zip(R, exponents[n])]
        assert_allclose(to_numpy(streaming.log_p), np.array(R) - normaliser, rtol=1e-10)


# Learning

@pytest.mark.parametrize("fused", [False, True])
def test_momentum_is_the_formula(fused):
    net = MLP([Linear(3, 2, 1., RandomStream(1))])
    rule = Momentum(.1, .7, fused=fused)
    theta, v = to_numpy(net.theta).copy(), np.zeros(net.theta.shape)
    for seed in range(4):
        s, dh = asarray(normal(seed, 5, 3)), asarray(normal(seed + 9, 5, 2))
        net.fprop(s)
        net.bprop(dh)
        theta, v = plain.momentum(theta, v, to_numpy(net.grad), epsilon=.1, mu=.7)
        net.fprop(s)
        rule.descend(net, dh)
        assert_allclose(to_numpy(net.theta), theta, rtol=1e-12)


class Observed(LearningRule):
    """A rule that keeps the gradient and leaves the parameters where they are."""

    def update(self, net):
        self.grad = to_numpy(net.grad).copy()


def gradients_of_eq_1(pair, x, z):
    """Return the gradients of Algorithm 1 by `plain`, at the nets' parameters."""
    def D(rows, theta):
        pair.discriminator.theta[...] = asarray(theta)
        return to_numpy(pair.discriminate(asarray(rows)))

    def G(noise, theta):
        pair.generator.theta[...] = asarray(theta)
        return to_numpy(pair.generator.fprop(asarray(noise)))

    theta_d, theta_g = to_numpy(pair.discriminator.theta).copy(), to_numpy(pair.generator.theta).copy()
    return plain.gradient_D(D, G, theta_d, theta_g, x, z), plain.gradient_G(D, G, theta_d, theta_g, z)


def noise_of(pair, step):
    """Take the `step` and return the noise that it drew."""
    rng = pair.generator.rng
    state = rng.state
    step()
    rng.state = state
    return to_numpy(pair.generator.noise(6))


@pytest.mark.parametrize("seed", range(3))
def test_the_steps_have_the_gradients_of_eq_1(seed):
    """D descends -V in Algorithm 1 and -V/2 in the released code's step; G descends V with the saturating loss."""
    x, rule_G, rule_D = normal(seed, 6, 4), Observed(), Observed()
    pair = small_pair(RandomStream(seed))

    z = noise_of(pair, lambda: discriminator_step(pair, rule_D, asarray(x), pair.generator.noise(6)))
    assert_allclose(rule_D.grad, -gradients_of_eq_1(pair, x, z)[0], rtol=1e-6, atol=1e-9)

    z = noise_of(pair, lambda: generator_step(pair, rule_G, pair.generator.noise(6), Saturating()))
    assert_allclose(rule_G.grad, gradients_of_eq_1(pair, x, z)[1], rtol=1e-6, atol=1e-9)

    z = noise_of(pair, lambda: simultaneous_step(pair, rule_G, rule_D, asarray(x), Saturating()))
    of_D, of_G = gradients_of_eq_1(pair, x, z)
    assert_allclose(rule_D.grad, -of_D / 2, rtol=1e-6, atol=1e-9)
    assert_allclose(rule_G.grad, of_G, rtol=1e-6, atol=1e-9)
