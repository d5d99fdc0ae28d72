from types import SimpleNamespace

import numpy as np
import pytest
from differences import law, small_discriminator
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npgan.backend import RandomStream, asarray, to_numpy
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import LearningRule, Momentum
from npgan.mlp import MLP
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage


def net_at(*theta, grad=0.):
    """Something with a theta and a grad that a rule can move, and no norm limits."""
    theta = asarray(theta)
    return SimpleNamespace(theta=theta, grad=0 * theta + grad, enforce_norm_limits=lambda: None)


def move(net, *theta):
    """Put the net elsewhere, as an update does."""
    net.theta[...] = asarray(theta)


# Momentum

@pytest.mark.usefixtures("float64")
def test_momentum_by_hand():
    """mu = 1/2, epsilon = 1/4, gradients 4, 4, 0, 0: steps of -1, -3/2, -3/4, -3/8; it coasts on without a gradient."""
    net, rule = net_at(10., 20.), Momentum(.25, .5)
    for gradient, expected in ((4, [9, 19]), (4, [7.5, 17.5]), (0, [6.75, 16.75]), (0, [6.375, 16.375])):
        net.grad[...] = gradient
        rule.update(net)
        assert_array_equal(to_numpy(net.theta), expected)
    assert_array_equal(to_numpy(rule.velocity), [-.375, -.375])
    assert_array_equal(to_numpy(net.grad), 0)                               # which the rule only reads


@pytest.mark.usefixtures("float64")
def test_momentum_tends_to_steps_of_epsilon_over_one_minus_mu():
    net, rule = net_at(0., grad=1.), Momentum(.1, .9)
    for _ in range(400):
        rule.update(net)
    assert float(rule.velocity[0]) == pytest.approx(-1, rel=1e-12)


def test_without_momentum_it_is_gradient_descent():
    net, rule = net_at(1., grad=2.), Momentum(.125)
    for expected in (.75, .5, .25):
        rule.update(net)
        assert float(net.theta[0]) == expected


def test_changed_rates_hold_from_the_next_update():
    net, rule = net_at(0., grad=1.), Momentum(1., .5)
    rule.update(net)                                                        # v = -1
    rule.learning_rate, rule.momentum = .5, .25
    rule.update(net)                                                        # v = -1/4 - 1/2
    assert float(net.theta[0]) == -1.75


def test_update_moves_theta_in_place_and_keeps_its_precision():
    rng = RandomStream(1)
    net, rule = small_discriminator(rng), Momentum(np.float64(.1), np.float64(.5))
    theta, W = net.theta, net.layers[1].W
    net.grad[...] = rng.normal(net.grad.shape)
    before = to_numpy(W).copy()
    rule.update(net)
    assert net.theta is theta and net.layers[1].W is W
    assert (to_numpy(W) != before).mean() > .9      # three of 24 weights stay with probability below 1e-12
    assert net.theta.dtype == net.grad.dtype == rule.velocity.dtype == "float32"


def test_rates_of_numpy_s_type_move_theta_to_the_bit_as_plain_ones_do():
    """As a schedule of one's own may have them; a run that goes on from a checkpoint has them plain."""
    def theta(number):
        rng = RandomStream(1)
        net, rule = small_discriminator(rng), Momentum(.1, .5)
        rule.learning_rate, rule.momentum = number(.1), number(.7)
        for _ in range(5):
            net.grad[...] = rng.normal(net.grad.shape)
            rule.update(net)
        return to_numpy(net.theta)

    assert_array_equal(theta(np.float64), theta(float))


@pytest.mark.usefixtures("float64")
def test_norm_limits_follow_the_step_and_spare_the_velocity():
    """From 0 by a step of (3, 4): a column of norm 5, put back to the limit 1; v and the bias keep the whole step."""
    net = MLP([Linear(2, 1, 0., RandomStream(1), max_col_norm=1.)])
    rule = Momentum(1.)
    net.grad[...] = asarray([-3, -4, -7])
    rule.update(net)
    assert_allclose(to_numpy(net.theta), [.6 / 1.00000002, .8 / 1.00000002, 7], rtol=1e-15)
    assert_array_equal(to_numpy(rule.velocity), [3, 4, 7])


def every_layer(rng):
    """A net with each kind of layer, one of them twice, and a net within."""
    return MLP([Dropout(.6, rng=rng), RectifiedLinear(4, 5, 1., rng, left_slope=.2), Maxout(5, 3, 2, 1., rng),
                MLP([Sigmoid(3, 4, 1., rng), RectifiedLinear(4, 3, 1., rng)]), Linear(3, 2, 1., rng, max_col_norm=.9)])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("inputs", [True, False, slice(2, None)])
def test_fused_momentum_is_a_backward_pass_and_an_update(inputs):
    fast, rule = every_layer(RandomStream(7)), Momentum(.3, .6, fused=True)
    plain, reference = every_layer(RandomStream(7)), Momentum(.3, .6)
    data = RandomStream(8)
    for _ in range(6):
        X, dh = data.normal((5, 4)), data.normal((5, 2))
        ds = []
        for net, by in ((fast, rule), (plain, reference)):
            net.dropout_fprop(X)
            ds.append(by.descend(net, dh, inputs))
        if inputs is False:
            assert ds == [None, None]
        else:
            of = inputs if isinstance(inputs, slice) else slice(None)
            assert_allclose(to_numpy(ds[0][of]), to_numpy(ds[1][of]), rtol=0, atol=1e-12 * float(abs(ds[1]).max()))
        for found, expected in ((fast.theta, plain.theta), (rule.velocity, reference.velocity)):
            found, expected = to_numpy(found), to_numpy(expected)
            assert_allclose(found, expected, rtol=0, atol=1e-12 * abs(expected).max())
    assert not to_numpy(fast.grad).any()                                    # the fused form does not write it


def test_descending_in_float32_stays_near_for_100_updates():
    """
    Rounding is magnified by training: the difference of the two ways, as a part of how far theta has moved.

    With these seeds; how much it is magnified depends on the data, and no false-alarm bound is claimed.
    """
    nets = [every_layer(RandomStream(7)) for _ in range(2)]
    rules = Momentum(.01, .6, fused=True), Momentum(.01, .6)
    data, start = RandomStream(8), to_numpy(nets[0].theta).copy()
    for _ in range(100):
        X, dh = data.normal((50, 4)), data.normal((50, 2)) / 50
        for net, rule in zip(nets, rules):
            net.dropout_fprop(X)
            rule.descend(net, dh)
    moved, apart = abs(to_numpy(nets[0].theta) - start).max(), abs(to_numpy(nets[0].theta - nets[1].theta)).max()
    assert apart <= 1e-4 * moved


@pytest.mark.usefixtures("float64")
def test_after_an_update_the_gradients_are_those_that_it_used():
    """theta has moved by -epsilon grad; every dW and db is a view of grad."""
    net, rule, rng = every_layer(RandomStream(7)), Momentum(.5), RandomStream(8)
    net.layers[-1].max_col_norm = None
    before = to_numpy(net.theta).copy()
    net.dropout_fprop(rng.normal((5, 4)))
    rule.descend(net, rng.normal((5, 2)))
    assert to_numpy(net.grad).any()
    assert_allclose(to_numpy(net.theta), before - .5 * to_numpy(net.grad), rtol=1e-14, atol=1e-14)
    assert_array_equal(np.concatenate([to_numpy(grad).ravel() for grad in net.grads]), to_numpy(net.grad))


@pytest.mark.parametrize("fused", [True, False])
def test_a_layer_that_changes_its_gradient_is_not_skipped(fused):
    """Weight decay by hand, in a subclass that does not declare `leaves_product`: v = -epsilon (dC/dW + W/2)."""
    class Decayed(Linear):
        def bprop(self, dz, params=True, inputs=True):
            ds = super().bprop(dz, params, inputs)
            if params:
                self.dW += self.W / 2
            return ds

    net, rule = MLP([Decayed(2, 1, 0., RandomStream(1))]), Momentum(1., fused=fused)
    net.theta[...] = asarray([4., 8., 0.])
    net.fprop(asarray([[1., 2.]]))
    rule.descend(net, asarray([[1.]]))
    assert_array_equal(to_numpy(net.theta), [4 - 1 - 2, 8 - 2 - 4, -1])


def test_a_rule_without_update():
    with pytest.raises(TypeError, match="Still has no update"):
        type("Still", (LearningRule,), {})().update(net_at(1.))


def test_a_rule_serves_one_net():
    rule, net = Momentum(.1, .5), net_at(1., 2.)
    rule.update(net)
    rule.update(net)
    with pytest.raises(ValueError, match="a rule of its own"):
        rule.update(net_at(1., 2.))


@pytest.mark.parametrize("arguments, message", [
    ((0,), "learning_rate must be > 0, got 0"), ((-.1,), "learning_rate must be > 0, got -0.1"),
    *[((rate,), f"learning_rate must be a finite .* got {rate!r}") for rate in (float("nan"), float("inf"), "a")],
    ((.1, None), "init_momentum must be a finite number of float32, got None"),
    ((.1, 1), r"init_momentum must be in \[0, 1\), got 1"), ((.1, -.5), r"must be in \[0, 1\), got -0.5")])
def test_bad_rates(arguments, message):
    with pytest.raises(ValueError, match=message):
        Momentum(*arguments)


# The schedules

def test_learning_rates_of_the_mnist_run():
    rule = Momentum(.1)
    decay = ExponentialDecay([rule], 1.000004, 1e-6)
    assert rule.learning_rate == .1                                         # of update 1
    decay.set_learning_rates(1)
    assert rule.learning_rate == pytest.approx(.0999996000016, rel=1e-12)   # of update 2
    decay.set_learning_rates(500)
    assert .1 / rule.learning_rate == pytest.approx(1.002002, rel=1e-7)     # an epoch of 500 updates


@pytest.mark.parametrize("init_lr, updates", [(.1, 2_878_238), (.05, 2_704_950), (.025, 2_531_663), (.004, 2_073_517)])
def test_updates_until_the_floor(init_lr, updates):
    rule = Momentum(init_lr)
    decay = ExponentialDecay([rule], 1.000004, 1e-6)
    decay.set_learning_rates(updates - 1)
    assert rule.learning_rate > 1e-6
    for t in (updates, updates + 1, 10**9):                                 # 1.000004^t does not overflow
        decay.set_learning_rates(t)
        assert rule.learning_rate == 1e-6


def test_each_rule_decays_from_its_own_rate():
    rules = Momentum(1.), Momentum(8.)
    decay = ExponentialDecay(rules, 2., .5)
    for t, expected in enumerate([(.5, 4), (.5, 2), (.5, 1), (.5, .5), (.5, .5)], start=1):
        decay.set_learning_rates(t)
        assert tuple(rule.learning_rate for rule in rules) == expected


@pytest.mark.parametrize("decay_factor", [.99, 0, -1])
def test_bad_decay_factor(decay_factor):
    with pytest.raises(ValueError, match=f"must be at least 1, got {decay_factor}"):
        ExponentialDecay([Momentum(.1)], decay_factor)


@pytest.mark.parametrize("make, error, message", [
    (lambda: ExponentialDecay([Momentum(.1)], float("nan")), ValueError, "decay_factor must be a finite n.* nan"),
    (lambda: ExponentialDecay([Momentum(.1)], 2, float("nan")), ValueError, "min_lr must be a finite .* got nan"),
    (lambda: ExponentialDecay([Momentum(.1)], 2, -1), ValueError, "min_lr must be at least 0, got -1"),
    (lambda: ExponentialDecay(Momentum(.1), 2), TypeError, "rules must be a sequence of .* got a Momentum; put"),
    (lambda: ExponentialDecay([.1], 2), TypeError, "rules must be learning rules with a learning_rate, got 0.1"),
    (lambda: MomentumAdjustor([.1], .7, 1, 2), TypeError, "rules must be learning rules with a momentum, got 0.1"),
    (lambda: MomentumAdjustor([Momentum(.1)], .7, "1", 2), ValueError, "start must be a finite .* got '1'"),
    (lambda: PolyakAverage(5, .9), TypeError, "net must have a vector theta, as a Generator or an MLP has, got 5"),
])
def test_bad_arguments_of_schedules_and_averages(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_numpy_s_numbers_become_plain_ones():
    rule = Momentum(np.float32(.5), np.float64(.25))
    decay, adjustor = ExponentialDecay([rule], np.float64(2)), MomentumAdjustor([rule], np.float64(.5), 0, np.int64(2))
    decay.set_learning_rates(1)
    adjustor.set_momentum(1)
    assert (rule.learning_rate, rule.momentum) == (.25, .375)
    assert type(rule.learning_rate) is type(rule.momentum) is type(decay.min_lr) is float
    assert (rule.init_learning_rate, rule.init_momentum) == (.5, .25)       # what it began with stays


def test_momentum_of_the_paper_s_epochs():
    rule = Momentum(.1, .5)
    adjustor = MomentumAdjustor([rule], .7, start=1, saturate=250)
    of_epoch = {}
    for epoch in range(1, 301):
        adjustor.set_momentum(epoch)
        of_epoch[epoch] = rule.momentum
    assert [round(of_epoch[epoch], 6) for epoch in (1, 2, 125, 250, 300)] == [.5, .500803, .599598, .7, .7]
    assert all(0 <= of_epoch[e + 1] - of_epoch[e] < .2 / 248 for e in range(1, 300))


@pytest.mark.parametrize("start, expected", [(0, [.7, .7, .7]), (1, [.7, .7, .7]), (3, [.5, .5, .7])])
def test_momentum_that_jumps(start, expected):
    rule = Momentum(.1, .5)
    adjustor, found = MomentumAdjustor([rule], .7, start, saturate=start), []
    for epoch in (1, 2, 3):
        adjustor.set_momentum(epoch)
        found.append(rule.momentum)
    assert found == pytest.approx(expected)


def test_momentum_waits_for_start():
    rules = Momentum(.1, 0.), Momentum(.1, .8)                              # each from its own, up or down
    adjustor, found = MomentumAdjustor(rules, .4, start=2, saturate=4), []
    for epoch in range(1, 6):
        adjustor.set_momentum(epoch)
        found.append([rule.momentum for rule in rules])
    assert_allclose(found, [[0, .8], [0, .8], [.2, .6], [.4, .4], [.4, .4]], atol=1e-15)


@pytest.mark.parametrize("arguments, message", [
    ((1., 1, 250), r"final_momentum must be in \[0, 1\), got 1"), ((-.1, 1, 250), r"must be in \[0, 1\), got -0.1"),
    ((.7, 5, 4), "saturate must be at least start, got start 5 and saturate 4")])
def test_bad_momentum_schedule(arguments, message):
    with pytest.raises(ValueError, match=message):
        MomentumAdjustor([Momentum(.1)], *arguments)


# The average

@pytest.mark.usefixtures("float64")
def test_average_by_hand():
    """decay 1/2 over 8, 2, 1: 8, then (8/2 + 2)/(1/2 + 1) = 4, then (8/4 + 2/2 + 1)/(1/4 + 1/2 + 1) = 16/7."""
    net = net_at(1000.)                                                     # where it starts does not count
    average = PolyakAverage(net, .5)
    for t, (theta, expected) in enumerate([(8, 8), (2, 4), (1, 16 / 7)], start=1):
        move(net, theta)
        average.add(t)
        assert float(average.theta[0]) == pytest.approx(expected, rel=1e-14)
        assert float(net.theta[0]) == theta                                 # never fed back


@law
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5), st.sampled_from([0., .5, .99, .99999]))
def test_the_average_of_a_constant_is_that_constant(theta, decay):
    """To the last bit, in single precision: the weights sum to 1 however many updates there are."""
    net = net_at(*theta)
    average = PolyakAverage(net, decay)
    for t in range(1, 51):
        average.add(t)
    assert_array_equal(to_numpy(average.theta), to_numpy(net.theta))


def test_the_average_lies_within_what_it_averages():
    rng = RandomStream(1)
    net = net_at(*np.zeros(100))
    average = PolyakAverage(net, .9)
    seen = []
    for t in range(1, 31):
        net.theta[...] = rng.normal((100,))
        average.add(t)
        seen.append(to_numpy(net.theta).copy())
        assert (np.min(seen, axis=0) - 1e-6 <= to_numpy(average.theta)).all()
        assert (to_numpy(average.theta) <= np.max(seen, axis=0) + 1e-6).all()
    assert average.theta.dtype == "float32"


def test_applied_is_lent_and_taken_back():
    rng = RandomStream(1)
    net, X = small_discriminator(rng), rng.normal((5, 4))
    average = PolyakAverage(net, .5)
    theta = net.theta
    averaged = to_numpy(net.theta).copy()
    average.add(1)
    net.theta += rng.normal(theta.shape)
    own, h = to_numpy(theta).copy(), to_numpy(net.fprop(X))
    with average.applied() as lent:
        assert lent is net and net.theta is theta
        assert_array_equal(to_numpy(net.theta), averaged)
        assert (to_numpy(net.fprop(X)) != h).any()
    assert_array_equal(to_numpy(net.theta), own)
    assert_array_equal(to_numpy(net.fprop(X)), h)

    with pytest.raises(KeyError), average.applied():
        raise KeyError
    assert net.theta is theta
    assert_array_equal(to_numpy(net.theta), own)
    assert_array_equal(to_numpy(average.theta), averaged)


def test_an_average_does_not_disturb_training():
    def train(averaged):
        rng = RandomStream(1)
        net, rule = small_discriminator(rng), Momentum(.1, .5)
        average = PolyakAverage(net, .9)
        for t in range(1, 6):
            net.grad[...] = rng.normal(net.grad.shape)
            rule.update(net)
            if averaged:
                average.add(t)
                with average.applied():
                    pass
        return to_numpy(net.theta)

    assert_array_equal(train(averaged=True), train(averaged=False))


@pytest.mark.parametrize("decay, wanted", [(1, r"in \[0, 1\)"), (-.1, r"in \[0, 1\)"),
                                           (float("nan"), "a finite number of float32")])
def test_bad_average(decay, wanted):
    with pytest.raises(ValueError, match=rf"decay must be {wanted}, got {decay}"):
        PolyakAverage(net_at(1.), decay)
