import re

import numpy as np
import pytest
from differences import small_generator, small_pair
from numpy.testing import assert_array_equal

from npgan import backend, costs
from npgan.adversarial import AdversaryPair
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.costs import cross_entropy, cross_entropy_grad, squared_error, squared_error_grad
from npgan.gradient_check import check
from npgan.layer import Layer
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP
from npgan.released.costs import Blend

pytestmark = pytest.mark.usefixtures("float64")


class Affine:
    """A stranger's layer: params without names, grads made anew, bprop without options."""

    def __init__(self, rng, nvis=4, dim=4):
        self.W, self.b = rng.normal((nvis, dim)), rng.normal((dim,))
        self.params = [self.W, self.b]

    def fprop(self, x):
        self.x = x
        return xp.matmul(x, self.W) + self.b

    def bprop(self, dh):
        self.grads = [xp.matmul(self.x.T, dh), dh.sum(axis=0)]
        return xp.matmul(dh, self.W.T)


class Rectifier(Affine):
    def fprop(self, x):
        z = super().fprop(x)
        self.on = z > 0
        return z * self.on

    def bprop(self, dh):
        return super().bprop(dh * self.on)


class Maxout2(Affine):
    """The greater of the first and the second half of the units."""

    def __init__(self, rng, nvis=4, dim=4):
        super().__init__(rng, nvis, 2 * dim)

    def fprop(self, x):
        z = super().fprop(x)
        dim = len(self.b) // 2
        self.first = z[:, :dim] >= z[:, dim:]
        return xp.maximum(z[:, :dim], z[:, dim:])

    def bprop(self, dh):
        return super().bprop(xp.concatenate([dh * self.first, dh * ~self.first], axis=1))


STRANGERS = [Affine, Rectifier, Maxout2]


# The planted faults

class ForgetsDh(Rectifier):
    def bprop(self, dh):
        return super().bprop(xp.ones_like(dh))


class UsesDhTwice(Rectifier):
    def bprop(self, dh):
        return super().bprop(dh * dh)


class MissesTheBias(Affine):
    def bprop(self, dh):
        dx = super().bprop(dh)
        self.grads[1] = xp.zeros_like(self.b)
        return dx


class MissesTheMask(Rectifier):
    def bprop(self, dh):
        return Affine.bprop(self, dh)


class MissesTheScale(Dropout):
    def bprop(self, dh, **wanted):
        return super().bprop(dh, **wanted) / self.scale


class RoutesToTheLoser(Maxout2):
    def bprop(self, dh):
        self.first = ~self.first
        return super().bprop(dh)


class TransposesW(Affine):
    def bprop(self, dh):
        super().bprop(dh)
        return xp.matmul(dh, self.W)


class TransposesTheGradient(Affine):
    def bprop(self, dh):
        dx = super().bprop(dh)
        self.grads[0] = self.grads[0].T
        return dx


class DropsTheInputGradient(Affine):
    def bprop(self, dh):
        super().bprop(dh)


class ChangesItsArgument(Rectifier):
    def bprop(self, dh):
        dh *= self.on
        return Affine.bprop(self, dh)


class ChangesItsInput(Affine):
    def fprop(self, x):
        x -= 1.
        return super().fprop(x)


class ChangesItsParameters(Affine):
    def bprop(self, dh):
        dx = super().bprop(dh)
        self.b -= .1 * self.grads[1]
        return dx


class AddsToTheGradients(Affine):
    def bprop(self, dh):
        before = getattr(self, "grads", [0., 0.])
        dx = super().bprop(dh)
        self.grads = [g + old for g, old in zip(self.grads, before)]
        return dx


class IsTwiceTooGreat(Affine):
    def bprop(self, dh):
        return super().bprop(2 * dh)


class FlattensTheGradient(Affine):
    def bprop(self, dh):
        dx = super().bprop(dh)
        self.grads[0] = self.grads[0].ravel()
        return dx


def divides_by_m_twice(a, y):
    return cross_entropy_grad(a, y) / len(a)


def on(layer):
    return lambda rng: (layer(rng), rng.normal((5, 4)))


FAULTS = {                          # what to check, and what the report says of it
    "forgets dh": (on(ForgetsDh), "Wrong: input 0, W, b: not linear in dh: for twice dh it is 1 times as large."),
    "uses dh twice": (on(UsesDhTwice), "Wrong: input 0, W, b: not linear in dh: for twice dh it is 4 times as large."),
    "misses the bias": (on(MissesTheBias), "Wrong: b: 0 where the slope is not."),
    "misses the mask": (on(MissesTheMask), " slopes"),
    "misses dropout's scale": (on(lambda rng: MissesTheScale(.8, rng=rng)),
                               "Wrong: input 0: right up to a constant factor of 0.8."),
    "divides by m twice": (lambda rng: ((cross_entropy, divides_by_m_twice), rng.normal((5, 1)), 1.),
                           "Wrong: input 0: right up to a constant factor of 0.2."),
    "routes to the wrong piece": (on(RoutesToTheLoser), " slopes"),
    "transposes W": (on(TransposesW), "Wrong: input 0: 20 of 20 slopes."),
    "transposes a gradient": (on(TransposesTheGradient), "Wrong: W: transposed."),
    "drops the input gradient": (on(DropsTheInputGradient), "Wrong: input 0: no gradient."),
    "changes its argument": (on(ChangesItsArgument), "Wrong: bprop changes its argument dh."),
    "changes its input": (on(ChangesItsInput), "Wrong: fprop changes its input."),
    "changes its parameters": (on(ChangesItsParameters), "Wrong: bprop changes the parameters."),
    "adds to the gradients": (on(AddsToTheGradients), "Wrong: bprop adds to the gradients, which it should overwrite."),
    "is right up to a constant": (on(IsTwiceTooGreat), "Wrong: input 0, W, b: right up to a constant factor of 2."),
    "gives another shape": (on(FlattensTheGradient), "Wrong: W: a gradient of shape (16,) for an array of (4, 4)."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_catches_and_names(fault):
    make, words = FAULTS[fault]
    report = check(*make(RandomStream(2014)))
    assert not report.ok
    assert words in report.sentence


def test_points_at_the_wrong_entry():
    layer = Affine(RandomStream(1))
    bprop, wrong = layer.bprop, asarray(np.array([1., 1., 1.5, 1.]))

    def bprop_wrong_in_b_2(dh):
        dx = bprop(dh)
        layer.grads[1] = layer.grads[1] * wrong
        return dx

    layer.bprop = bprop_wrong_in_b_2
    report = check(layer, RandomStream(2).normal((5, 4)))
    assert report.worst.array == "b" and report.worst.index == (2,)
    assert report.worst.analytic == pytest.approx(1.5 * report.worst.numeric)
    assert report.sentence == "Wrong: b: 1 of 4 slopes."


@pytest.mark.parametrize("factor, ok", [(1 + 1e-5, False), (1 + 1e-7, True)])
def test_tolerance_is_what_it_says(factor, ok):
    layer = Affine(RandomStream(1))
    bprop = layer.bprop
    layer.bprop = lambda dh: bprop(factor * dh)
    assert check(layer, RandomStream(2).normal((5, 4))).ok == ok
    assert not check(layer, RandomStream(2).normal((5, 4)), tolerance=1e-8).ok


# What it takes

@pytest.mark.parametrize("layer", STRANGERS)
def test_takes_a_strangers_layer(layer):
    report = check(layer(RandomStream(1)), RandomStream(2).normal((5, 4)))
    assert report.ok, report
    assert [row.name for row in report.rows] == ["input 0", "W", "b"]


def test_takes_several_inputs():
    class Product:
        params = grads = ()

        def fprop(self, x, y):
            self.x, self.y = x, y
            return x * y

        def bprop(self, dh):
            return dh * self.y, dh * self.x

    rng = RandomStream(1)
    report = check(Product(), rng.normal((3, 2)), rng.normal((3, 2)))
    assert report.ok and [row.name for row in report.rows] == ["input 0", "input 1"]


def test_takes_a_net_with_dropout_and_names_its_arrays():
    rng = RandomStream(1)
    net = MLP([Dropout(.8, rng=rng), RectifiedLinear(4, 6, 1., rng), Maxout(6, 3, 2, 1., rng, init_bias=.1),
               Dropout(.5, rng=rng), Sigmoid(3, 2, 1., rng)])
    report = check(net, rng.normal((5, 4)))
    assert report.ok, report
    assert [row.name for row in report.rows] == ["input 0", "h0.W", "h0.b", "h1.W", "h1.b", "y.W", "y.b"]
    assert all(len(row.index) == np.prod(row.shape) for row in report.rows)


@pytest.mark.parametrize("loss", [costs.NonSaturating, costs.Saturating, Blend])
def test_takes_a_generator_loss(loss):
    assert check(loss(), 3 * RandomStream(1).normal((6, 1))).ok


def test_takes_a_cost_beside_its_gradient():
    rng = RandomStream(1)
    a, y = rng.normal((6, 1)), rng.uniform(0., 1., (6, 1))
    assert check((cross_entropy, cross_entropy_grad), a, y).ok
    assert check((squared_error, squared_error_grad), a, y).ok
    assert not check((cross_entropy, squared_error_grad), a, y).ok


def test_takes_the_pair():
    rng = RandomStream(1)
    report = check(small_pair(rng, include_prob=.8), rng.normal((6, 4)), rng.normal((5, 3)))
    assert report.ok, report
    assert [row.name for row in report.rows] == [
        "z", "G.h0.W", "G.h0.b", "G.y.W", "G.y.b", "x", "D.h0.W", "D.h0.b", "D.y.W", "D.y.b"]


def test_a_fault_in_d_shows_in_gs_gradient():
    class MissesTheMaskOfD(RectifiedLinear):
        def bprop(self, dh, **wanted):
            return Linear.bprop(self, dh, **wanted)

    rng = RandomStream(1)
    G, D = small_generator(rng), MLP([MissesTheMaskOfD(4, 5, 1., rng), Linear(5, 1, 1., rng)])
    report = check(AdversaryPair(G, D), rng.normal((6, 4)), rng.normal((6, 3)))
    assert {row.name for row in report.rows if not row.ok} >= {"z", "G.h0.W", "x", "D.h0.W"}
    assert {row.name for row in report.rows if row.ok} >= {"D.y.W", "D.y.b"}


def test_leaves_everything_as_it_was():
    rng = RandomStream(1)
    net, X = MLP([Dropout(.5, rng=rng), RectifiedLinear(4, 3, 1., rng)]), rng.normal((5, 4))
    X[0] = 0.
    theta, inputs, state = net.theta.copy(), X.copy(), rng.state
    assert check(net, X).rows[2].kink.any()
    assert_array_equal(to_numpy(net.theta), to_numpy(theta))
    assert_array_equal(to_numpy(X), to_numpy(inputs))
    if xp.module is np:                             # elsewhere even reading the state moves the stream
        assert rng.state == state


def test_a_large_array_is_covered_at_a_bounded_cost():
    passes = []

    class Counts(Affine):
        def fprop(self, x):
            passes.append(1)
            return super().fprop(x)

    layer, X = Counts(RandomStream(1), 100, 100), RandomStream(2).normal((2, 100))
    report = check(layer, X, max_entries=10)
    assert report.ok and len(passes) < 3 * 4 * (8 + 10) + 30
    assert [len(row.index) for row in report.rows] == [18, 18, 18]

    bprop = layer.bprop                                     # wrong in 1 of 10,000 entries

    def bprop_wrong_in_W_70_30(dh):
        dx = bprop(dh)
        layer.grads[0][70, 30] += .1
        return dx

    layer.bprop = bprop_wrong_in_W_70_30
    worst = check(layer, X, max_entries=10).worst
    assert worst.array == "W" and worst.index.startswith("direction") and worst.error > 1e-6


# Kinks

class Bend:
    """h = max(0, x - at); what bprop takes for its slope at the kink is `there`."""

    params = grads = ()

    def __init__(self, at=0., there=0.):
        self.at, self.there = at, there

    def fprop(self, x):
        self.x = x - self.at
        return xp.maximum(self.x, 0)

    def bprop(self, dh):
        return dh * xp.where(self.x == 0, self.there, self.x > 0)


@pytest.mark.parametrize("there, ok", [(0., True), (.3, True), (1., True), (1.1, False), (-.1, False), (np.nan, False)])
def test_on_a_kink_any_subgradient_is_right(there, ok):
    report = check(Bend(there=there), asarray(np.array([[-1., 0., 2.]])))
    row, = report.rows
    assert report.ok == ok
    assert_array_equal(row.kink, [False, True, False])
    assert ("1 of them on a kink" if ok else "no subgradient on a kink") in report.sentence


@pytest.mark.parametrize("distance", [1e-6, -1e-6, 3e-7])
def test_steps_that_cross_a_kink_are_shortened(distance):
    x = asarray(np.array([[.5 + distance]]))
    report = check(Bend(at=.5), x)
    assert report.ok and not report.rows[0].kink.any()


@pytest.mark.parametrize("distance", [1e-6, -1e-6, 3e-7])
def test_no_kink_nearby_excuses_a_fault(distance):
    class Wrong(Bend):
        def bprop(self, dh):
            return super().bprop(dh) + .5 * dh              # between the slopes to the left and to the right

    report = check(Wrong(at=.5), asarray(np.array([[.5 + distance]])))
    assert not report.ok and not report.rows[0].kink.any()


def test_curvature_is_no_kink():
    class Steep(Bend):
        def fprop(self, x):
            self.h = xp.tanh(2e4 * x)
            return self.h

        def bprop(self, dh):
            return dh * 2e4 * (1 - self.h * self.h)

    report = check(Steep(), asarray(np.array([[0., 1e-5, -4e-5, 1e-4]])))
    assert report.ok, report
    assert not report.rows[0].kink.any()


@pytest.mark.parametrize("there, ok", [(0., True), (.7, True), (1.5, True), (1.6, False), (-.1, False)])
def test_where_kinks_meet_any_of_their_sides_are_right(there, ok):
    """
    Two rectifiers at x = 0: the slopes are 1/2 and 1, but bprop finds 0 with both off, or 3/2 with both on.

    Beside it x = 2, where h = x + b, so that some slopes can be decided.
    """
    class Both:
        def __init__(self):
            self.params = [xp.zeros((1, 2), "float64"), xp.zeros((1, 2), "float64")]

        def fprop(self, x):
            self.smooth = x != 0
            b, c = self.params
            return xp.maximum(x + b, 0) - xp.maximum(c - x, 0) / 2

        def bprop(self, dh):
            self.grads = [self.smooth * dh, 0 * dh]
            return dh * xp.where(self.smooth, 1, there)

    report = check(Both(), asarray(np.array([[0., 2.]])))
    assert report.ok == ok
    assert_array_equal(report.rows[0].kink, [True, False])


class Function:
    """A function with a slope of its own choice, as an object that check takes."""

    params = grads = ()

    def __init__(self, f, slope):
        self.f, self.slope = f, slope

    def fprop(self, x):
        self.x = x
        return self.f(x)

    def bprop(self, dh):
        return dh * self.slope(self.x)


def test_a_right_gradient_with_kinks_alone_is_undecided():
    report = check(Bend(), xp.zeros((1, 2), "float64"))
    assert not report.ok and report.rows[0].ok
    assert report.sentence.startswith("Undecided: of all slopes 2 are on a kink and 0 are known only to C's rounding")


@pytest.mark.parametrize("slope, verdict", [(lambda x: 0 * x, "Wrong: input 0: 0 where the slope is not."),
                                            (lambda x: 1e5 * xp.cos(1e5 * x), "Undecided: input 0: C bends too")])
def test_a_strong_bend_is_no_kink_that_would_excuse_a_fault(slope, verdict):
    """The phase of h = sin(1e5 s) changes by 1.5e-3 over the shortest step."""
    report = check(Function(lambda x: xp.sin(1e5 * x), slope), asarray(np.array([[.3, -.7]])))
    assert not report.ok and not report.rows[0].kink.any()
    assert report.sentence.startswith(verdict)


@pytest.mark.parametrize("factor", [1., 1 + 1e-5])
def test_a_cost_that_is_0_after_large_numbers_cancel_is_never_right(factor):
    """C = sum (a + 1e6)^2 - C_0 is exactly 0 here, but the sum's rounding errors are about 1e-3."""
    for seed in range(10):
        a = RandomStream(seed).normal((5, 1))
        report = check((lambda a, zero: xp.square(a + 1e6).sum() - zero, lambda a, zero: 2 * factor * (a + 1e6)), a,
                       xp.square(a + 1e6).sum())
        assert not report.ok, f"seed {seed}\n{report}"


@pytest.mark.parametrize("factor", [2., 0., -7.])
def test_a_constant_that_drowns_all_slopes_leaves_them_undecided(factor):
    a = RandomStream(1).normal((5, 1))
    report = check((lambda a: xp.square(a).sum() + 1e12, lambda a: factor * a), a)
    assert not report.ok
    assert "0 are on a kink and 5 are known only to C's rounding errors" in report.sentence


class SharesTheMaximum:
    """h = max(x_1, x_2) of each row; where they tie each gets its `share` of dh."""

    params = grads = ()

    def __init__(self, share):
        self.share = share

    def fprop(self, x):
        self.x, h = x, x.max(axis=1, keepdims=True)
        self.largest = x == h
        return h

    def bprop(self, dh):
        tie = self.largest.all(axis=1, keepdims=True)
        return dh * self.largest * xp.where(tie, asarray(np.array(self.share)), 1)


@pytest.mark.parametrize("share, ok", [([1., 0.], True), ([.5, .5], True), ([.2, .8], True), ([1., 1.], False),
                                       ([0., 0.], False)])
def test_entries_that_tie_share_one_gradient(share, ok):
    report = check(SharesTheMaximum(share), asarray(np.array([[.3, .3], [1., 2.], [-.6, -.6]])))
    assert report.ok == ok, report
    if not ok:
        assert "wrong for all together: entries that tie must share one gradient" in report.sentence


def test_weights_that_tie_share_one_gradient():
    class BothPieces(Maxout2):
        def bprop(self, dh):
            second = self.first & ~self.tie
            return Affine.bprop(self, xp.concatenate([dh * self.first, dh * ~second], axis=1))

        def fprop(self, x):
            h = super().fprop(x)
            self.tie = xp.ones_like(self.first)
            return h

    layer = BothPieces(RandomStream(1))
    layer.W[:, 4:], layer.b[4:] = layer.W[:, :4], layer.b[:4]
    report = check(layer, RandomStream(2).normal((5, 4)))
    assert {row.name for row in report.rows if not row.ok} >= {"W", "b"}


def random_net(random, rng):
    """One or two layers of one or two units, half of the nets without biases, and an input that may have a row of 0."""
    nvis = width = int(random.integers(1, 4))
    layers, biased = [], random.integers(2)
    for _ in range(random.integers(1, 3)):
        dim, pieces = (int(n) for n in random.integers(1, 3, 2))
        kind = [Linear, RectifiedLinear, Sigmoid, Maxout][random.integers(4)]
        sizes = (dim, pieces) if kind is Maxout else (dim,)
        if random.random() < .3:
            layers.append(Dropout(.5, rng=rng))
        layers.append(kind(width, *sizes, 1., rng, init_bias=biased * rng.normal((int(np.prod(sizes)),))))
        width = dim
    X = rng.normal((2, nvis))
    X[0] *= float(random.random() < .9)
    return MLP(layers), X


def test_does_not_cry_wolf():
    """
    1,000 right nets (on the stand-in, which is slow, 50), some on kinks.

    Of 1,000 nets none has a kink with probability below 1e-30; of 50 that may be.
    """
    random, kinks = np.random.default_rng(2014), 0
    for seed in range(1000 if xp.module is np else 50):
        report = check(*random_net(random, RandomStream(seed)))
        assert report.ok, f"net {seed}\n{report}"
        kinks += sum(row.kink.sum() for row in report.rows)
    assert kinks > 0 or xp.module is not np


# Precision, refusals, what is shown

def test_float32_is_warned_of_and_shows_gross_faults():
    backend.use(floatX="float32")
    rng = RandomStream(1)
    net, X = MLP([RectifiedLinear(4, 5, 1., rng), Sigmoid(5, 3, 1., rng)]), rng.normal((5, 4))
    with pytest.warns(UserWarning, match="float64"):
        report = check(net, X)
    assert report.ok and report.tolerance == 1e-2, report
    for fault in "forgets dh", "misses the mask", "transposes W", "is right up to a constant":
        with pytest.warns(UserWarning, match="float64"):
            assert not check(*FAULTS[fault][0](RandomStream(2014))).ok


def test_slopes_that_rounding_drowns_are_named():
    rng = RandomStream(1)
    net = MLP([Linear(2, 2, irange=1e-15, rng=rng), Linear(2, 2, 1., rng, init_bias=1.)])
    net.layers[1].W *= 1e-12
    report = check(net, rng.normal((3, 2)))
    assert report.ok
    assert [row.verdict for row in report.rows] == ["undecided"] * 4 + ["ok"]
    assert report.sentence.endswith("; kinks and rounding errors leave undecided: input 0, h0.W, h0.b, y.W.")


@pytest.mark.parametrize("thing, inputs, error, words", [
    (lambda rng: object(), [1.], TypeError, "has no fprop, no bprop, no params"),
    (lambda rng: small_generator(rng), [1.], TypeError, "has no params"),
    (lambda rng: Affine(rng), ["1"], TypeError, "input 0 must be real numbers, got text"),
    (lambda rng: small_pair(rng), [], TypeError, "on x and z, got 0 inputs"),
])
def test_refuses(thing, inputs, error, words):
    with pytest.raises(error, match=re.escape(words)):
        check(thing(RandomStream(1)), *inputs)


@pytest.mark.parametrize("x, words", [
    ([[1., 2, np.nan, 4]], "input 0 must have numbers, all of them finite, got NaN or infinity"),
    ([[1., 2, 3, np.inf]], "input 0 must have numbers, all of them finite, got NaN or infinity"),
    (np.ones((0, 4)), r"input 0 must have numbers, all of them finite, got shape \(0, 4\)"),
    (np.full((1, 4), 1e308), "the output of <.*Affine .* is NaN or infinite, which has no slope; take other inputs"),
])
def test_refuses_what_has_no_slope(x, words):
    layer = Affine(RandomStream(1))
    layer.W *= 1e3
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=words):
        check(layer, asarray(x))


def test_refuses_what_it_cannot_repeat():
    class Noisy(Affine):
        def fprop(self, x):
            return super().fprop(x) + noise.normal((5, 4))

    noise = RandomStream(3)
    with pytest.raises(ValueError, match="two forward passes .* differ"):
        check(Noisy(RandomStream(1)), RandomStream(2).normal((5, 4)))
    layer = Noisy(RandomStream(1))
    layer.rng = noise
    assert check(layer, RandomStream(2).normal((5, 4))).ok


def test_prints_a_table_and_a_sentence():
    """C = a^2 at a = 3, y = 0: dC/da = 6, and a gradient that forgets the 2 says 3."""
    a = asarray(np.array([[3.]]))
    header, row, sentence = str(check((lambda a, y: squared_error(a, y), lambda a, y: a - y), a, 0.)).split("\n")
    assert header.split() == ["array", "checked", "error", "worst", "at", "analytic", "numeric", "kinks"]
    assert row.split() == ["input", "0", "1", "of", "1", "5.0e-01", "[0,", "0]", "3", "6", "0", "WRONG"]
    assert sentence == "Wrong: input 0: right up to a constant factor of 0.5."
    assert str(check((squared_error, squared_error_grad), a, 0.)).endswith("Right: 1 slopes agree to 1e-06.")


def test_plots_each_array(tmp_path):
    rng = RandomStream(1)
    report = check(MissesTheMask(rng), rng.normal((5, 4)))
    figure = report.plot(tmp_path / "errors.png")
    axes, = figure.axes
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["input 0", "W", "b"]
    assert axes.get_yscale() == "log"
    drawn = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == ".")
    assert drawn == sum(len(row.index) for row in report.rows)


class Gain(Layer):
    """h = g s, with a bprop that puts a new array where its gradient was."""

    param_names = ("g",)

    def __init__(self, dim):
        self.nvis = self.dim = dim
        self.g, self.dg = xp.ones(dim, backend.floatX), xp.zeros(dim, backend.floatX)

    def fprop(self, state_below):
        return self.remember(state_below * self.g, state_below)

    def bprop(self, dh, params=True, inputs=True):
        state_below, = self.recall(dh)
        if params:
            self.dg = (dh * state_below).sum(axis=0)
        return dh * self.g


class GainInPlace(Gain):
    """The same, written into the array that is there."""

    def bprop(self, dh, params=True, inputs=True):
        kept = self.dg
        ds = super().bprop(dh, params, inputs)
        kept[...], self.dg = self.dg, kept
        return ds


@pytest.mark.parametrize("net", [lambda gain: gain, lambda gain: MLP([gain]), lambda gain: MLP([MLP([gain])])])
def test_a_gradient_that_no_learning_rule_would_see_is_a_fault(net):
    X = RandomStream(1).normal((5, 3))
    assert check(net(GainInPlace(3)), X).ok
    report = check(net(Gain(3)), X)
    assert not report.ok and "bprop replaces a gradient by a new array" in report.sentence


# How training calls bprop

class ScaledGain(GainInPlace):
    """A `Gain` with options that can be made wrong one at a time."""

    def __init__(self, dim, fault):
        super().__init__(dim)
        self.fault = fault

    def bprop(self, dh, params=True, inputs=True):
        if self.fault == "params ignored":
            params = True
        ds = super().bprop(dh, params, inputs)
        if self.fault == "gradients of the slice" and isinstance(inputs, slice):
            self.dg[...] -= dh[0]
        if self.fault == "rows of the slice" and isinstance(inputs, slice):
            ds = ds[inputs]
        if self.fault == "nothing without params" and not params:
            return None
        return ds if inputs else None


@pytest.mark.parametrize("fault, words", [
    ("params ignored", "bprop(dh, params=False, inputs=True) changes grads"),
    ("gradients of the slice", "bprop(dh, params=True, inputs=a slice) computes other gradients than bprop(dh)"),
    ("rows of the slice", "bprop(dh, params=True, inputs=a slice) returns another gradient of the input"),
    ("nothing without params", "bprop(dh, params=False, inputs=True) returns another gradient of the input"),
])
def test_each_form_of_bprops_arguments_is_checked(fault, words):
    X = RandomStream(1).normal((5, 3))
    assert check(ScaledGain(3, ""), X).ok
    report = check(ScaledGain(3, fault), X)
    assert not report.ok and words in report.sentence


def test_a_layer_whose_bprop_takes_dh_alone_is_a_fault():
    class TakesDhAlone(GainInPlace):
        def bprop(self, dh):
            return super().bprop(dh)

    report = check(TakesDhAlone(3), RandomStream(1).normal((5, 3)))
    assert report.sentence == "Wrong: bprop does not take the arguments params and inputs of Layer.bprop."


@pytest.mark.parametrize("rows", [5, 1])
def test_a_cache_of_the_first_input_is_caught(rows):
    class RemembersTheFirstInput(Affine):
        def fprop(self, x):
            first = getattr(self, "x", x)
            h = super().fprop(x)
            self.x = first
            return h

    report = check(RemembersTheFirstInput(RandomStream(1)), RandomStream(2).normal((rows, 4)))
    assert {row.name for row in report.rows if not row.ok} == {"W"}


@pytest.mark.parametrize("factor", [1 + 1e-5, 1 + 3e-6, 1 + 1e-8])
def test_a_constant_factor_of_1_is_never_the_diagnosis(factor):
    """Each slope is off by its own small amount, so that the best common factor is `factor`, or 1."""
    layer = Affine(RandomStream(1))
    bprop, off = layer.bprop, factor + 1e-5 * RandomStream(3).normal((5, 4))
    layer.bprop = lambda dh: off * bprop(dh)
    report = check(layer, RandomStream(2).normal((5, 4)))
    assert not report.ok and "constant factor of 1." not in report.sentence


@pytest.mark.parametrize("params, words", [
    ({"W": 1.}, "params must be a list of arrays, parallel to grads, got a dict"),
    ([None], "params[0] must be an array of floats, got None"),
    ([[1., 2.]], "params[0] must be an array of floats, got [1.0, 2.0]"),
])
def test_refuses_params_that_are_no_list_of_arrays(params, words):
    layer = Affine(RandomStream(1))
    layer.params = params
    with pytest.raises(TypeError, match=re.escape(words)):
        check(layer, RandomStream(2).normal((5, 4)))


def test_refuses_a_cost_that_is_no_single_number():
    with pytest.raises(TypeError, match=re.escape("a cost must return a single number, got an array of shape (5, 1)")):
        check((lambda a: a * a, lambda a: 2 * a), RandomStream(1).normal((5, 1)))
