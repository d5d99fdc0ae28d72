
import numpy as np
import pytest
from differences import central_difference, from_numpy, small_generator, small_pair
from games import Spy
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from npgan.adversarial import (
    AdversaryPair,
    Generator,
    SeparateSteps,
    SimultaneousSteps,
    algorithm_1,
    discriminator_step,
    generator_step,
    simultaneous_step,
)
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.conv import Deconv, MaxoutConv
from npgan.costs import NonSaturating, Saturating
from npgan.generator import PRIORS
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.released.costs import Blend

LOSSES = [NonSaturating(), Saturating(), Blend(), Blend(.3, 2.)]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=["non-saturating", "saturating", "blend", "uneven blend"])
with_and_without_dropout = pytest.mark.parametrize("include_prob", [1., .6])


def pair_and_data(m=6, **arguments):
    """A small pair, the one stream of its noise and masks, and m data rows."""
    rng = RandomStream(2014)
    return small_pair(rng, **arguments), rng, rng.uniform(0, 1, (m, 4))


def players(pair):
    """theta of either player, NumPy copies."""
    return to_numpy(pair.generator.theta).copy(), to_numpy(pair.discriminator.theta).copy()


# The gradients of the two players

@pytest.mark.usefixtures("float64")
@with_and_without_dropout
def test_discriminator_step_follows_the_gradient_of_v(include_prob):
    pair, rng, x = pair_and_data(include_prob=include_prob)
    G, D, state, rule = pair.generator, pair.discriminator, rng.state, Spy()

    def V():
        rng.state = state
        p = expit(to_numpy(D.dropout_fprop(xp.concatenate([x, G.fprop(G.noise(6))]))))
        return np.log(p[:6]).mean() + np.log(1 - p[6:]).mean()

    discriminator_step(pair, rule, *G.with_noise(x))
    assert_allclose(rule.grad, -central_difference(V, D.theta), rtol=1e-6, atol=1e-9)

    if include_prob == 1:
        rng.state = state
        assert float(pair.value(x, G.noise(6))) == pytest.approx(V(), rel=1e-12)


@pytest.mark.usefixtures("float64")
@with_and_without_dropout
@pytest.mark.parametrize("loss, cost", [
    (NonSaturating(), lambda p: -np.log(p)), (Saturating(), lambda p: np.log(1 - p)),
    (Blend(3., 1.), lambda p: -3 / 4 * np.log(p) + 1 / 8 * np.log(1 - p))], ids=["-log D", "log(1 - D)", "blend"])
def test_generator_step_follows_the_gradient_of_its_loss_through_d(loss, cost, include_prob):
    pair, rng, _ = pair_and_data(include_prob=include_prob)
    G, D, state, rule = pair.generator, pair.discriminator, rng.state, Spy()

    def C():
        rng.state = state
        return cost(expit(to_numpy(D.dropout_fprop(G.fprop(G.noise(6)))))).mean()

    generator_step(pair, rule, G.noise(6), loss)
    assert_allclose(rule.grad, central_difference(C, G.theta), rtol=1e-6, atol=1e-9)


@pytest.mark.usefixtures("float64")
def test_bprop_answers_d_s_latest_pass():
    """D on data, then on samples, then bprop: the gradient is that of the samples, their masks included."""
    pair, rng, x = pair_and_data(m=9, include_prob=.6)
    D = pair.discriminator
    samples, R = pair.generator.sample(5), rng.normal((5, 1))
    D.dropout_fprop(x)
    masks = rng.state

    def C():
        rng.state = masks
        return (R * D.dropout_fprop(samples)).sum()

    C()
    dC = D.bprop(R)
    assert_allclose(to_numpy(D.grad), central_difference(C, D.theta), rtol=1e-6, atol=1e-9)
    assert_allclose(to_numpy(dC), central_difference(C, samples), rtol=1e-6, atol=1e-9)


def separate_passes(pair, rng, state, x, loss):
    """What the simultaneous step does at once: a backward pass through D for D's signal, and another for G's."""
    G, D, m = pair.generator, pair.discriminator, len(x)

    def logits():
        rng.state = state
        return D.dropout_fprop(xp.concatenate([x, G.fprop(G.noise(m))]))

    a = to_numpy(logits())
    D.bprop(asarray(np.concatenate([-expit(-a[:m]), expit(a[m:])]) / (2 * m)))
    signal = 0 * logits()
    signal[m:] = loss.grad(asarray(a[m:]))
    G.bprop(D.bprop(signal, params=False)[m:])
    return to_numpy(G.grad), to_numpy(D.grad)


@pytest.mark.usefixtures("float64")
@with_and_without_dropout
@every_loss
@pytest.mark.parametrize("push", [0, 5, -5, 30, -30])
def test_simultaneous_step_is_two_separate_backward_passes(loss, include_prob, push):
    pair, rng, x = pair_and_data(include_prob=include_prob)
    pair.discriminator.layers[-1].b += push
    state, rule_G, rule_D = rng.state, Spy(), Spy()
    simultaneous_step(pair, rule_G, rule_D, x, loss)
    for found, expected in zip((rule_G.grad, rule_D.grad), separate_passes(pair, rng, state, x, loss)):
        assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * abs(expected).max())


@every_loss
@pytest.mark.parametrize("push", [0, 40, -40, 90, -90, 200, -200])
def test_simultaneous_step_in_single_precision_when_d_is_sure(loss, push):
    """Once D rounds to 0 or 1, one gradient vanishes before the other; neither spoils it."""
    pair, rng, x = pair_and_data(include_prob=.6)
    pair.discriminator.layers[-1].b += push
    state, rule_G, rule_D = rng.state, Spy(), Spy()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        simultaneous_step(pair, rule_G, rule_D, x, loss)
    for found, expected in zip((rule_G.grad, rule_D.grad), separate_passes(pair, rng, state, x, loss)):
        assert found.dtype == "float32" and np.isfinite(found).all()
        assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * abs(expected).max() + 1e-24)
    if push < 0 and loss is LOSSES[0]:
        assert abs(rule_G.grad).max() > 1e-3                                # alive though D(G(z)) rounds to 0


@every_loss
def test_generator_sees_no_data(loss):
    """Section 6: G learns only through D, so its gradient does not change when the minibatch does; D's does."""
    pair, rng, x = pair_and_data(include_prob=.6)
    state, rule_G, rule_D = rng.state, Spy(), Spy()
    for data in (x, x[::-1].copy(), 0 * x, 100 * x):
        rng.state = state
        simultaneous_step(pair, rule_G, rule_D, data, loss)
    for grad_G, grad_D in zip(rule_G.grads[1:], rule_D.grads[1:]):
        assert_array_equal(grad_G, rule_G.grads[0])
        assert (grad_D != rule_D.grads[0]).any()


def test_simultaneous_step_moves_both_from_the_old_parameters():
    pair, rng, x = pair_and_data(include_prob=.6)
    state, rule_G, rule_D = rng.state, Spy(), Spy()
    simultaneous_step(pair, rule_G, rule_D, x)
    before = players(pair)
    rng.state = state
    simultaneous_step(pair, Momentum(.5), Momentum(2.), x)
    for theta, old, step in zip(players(pair), before, (.5 * rule_G.grad, 2 * rule_D.grad)):
        assert (step != 0).any()
        assert_allclose(theta, old - step, rtol=1e-6, atol=1e-7)


def test_released_step_of_d_is_half_that_of_algorithm_1():
    pair, rng, x = pair_and_data(include_prob=.6)
    state, released, paper = rng.state, Spy(), Spy()
    simultaneous_step(pair, Spy(), released, x)
    rng.state = state
    discriminator_step(pair, paper, *pair.generator.with_noise(x))
    assert_allclose(2 * released.grad, paper.grad, rtol=1e-5, atol=1e-8)


# Who moves, and when

def test_the_other_player_is_held_fixed():
    """A step of G leaves every bit of D, and a step of D every bit of G: parameters, velocity, gradient."""
    pair, rng, x = pair_and_data(include_prob=.6)
    G, D = pair.generator, pair.discriminator
    rule_G, rule_D = Momentum(.1, .5), Momentum(.1, .5)
    simultaneous_step(pair, rule_G, rule_D, x)                              # both have a velocity from now on

    def state(net, rule):
        return np.concatenate([to_numpy(array) for array in (net.theta, net.grad, rule.velocity)])

    for step, moves, rule, rests, other in (
            (lambda: generator_step(pair, rule_G, G.noise(6)), G, rule_G, D, rule_D),
            (lambda: discriminator_step(pair, rule_D, x, G.noise(6)), D, rule_D, G, rule_G)):
        moving, resting = state(moves, rule), state(rests, other)
        step()
        assert_array_equal(state(rests, other), resting)
        assert (state(moves, rule) != moving).any()


def test_the_minibatch_is_left_alone():
    pair, rng, x = pair_and_data(include_prob=.6)
    before = to_numpy(x).copy()
    discriminator_step(pair, Momentum(.1), *pair.generator.with_noise(x))
    simultaneous_step(pair, Momentum(.1), Momentum(.1), x)
    assert_array_equal(to_numpy(x), before)


@pytest.mark.parametrize("k", [1, 3])
def test_algorithm_1_makes_k_steps_of_d_to_one_of_g(k, monkeypatch):
    pair, rng, x = pair_and_data()
    log, asked, noise = [], [], []
    draw = pair.generator.noise
    monkeypatch.setattr(pair.generator, "noise", lambda m: noise.append(draw(m)) or noise[-1])
    algorithm_1(pair, Spy("G", log), Spy("D", log), lambda m: asked.append(m) or x, num_iterations=2, k=k, m=6)
    assert "".join(log) == ("D" * k + "G") * 2
    assert asked == [6] * (2 * k)
    assert [z.shape for z in noise] == [(6, 3)] * (2 * k + 2)
    rows = np.concatenate([to_numpy(z) for z in noise])         # two rows of three float32 are equal: below 1e-15
    assert len(np.unique(rows, axis=0)) == 6 * (2 * k + 2)      # always fresh


def test_a_true_answer_of_the_callback_ends_the_training():
    pair, rng, x = pair_and_data()
    log, done = [], []
    algorithm_1(pair, Spy("G", log), Spy("D", log), lambda m: x, 10, m=6, callback=lambda i: done.append(i) or i == 2)
    assert done == [1, 2] and log == ["D", "G"] * 2
    algorithm_1(pair, Spy("G", log), Spy("D", log), lambda m: x, 3, m=6, callback=done.append)
    assert done == [1, 2, 1, 2, 3]


@every_loss
def test_steps_for_a_training_loop_are_the_same_steps(loss):
    def after(train):
        pair, rng, x = pair_and_data(include_prob=.6)
        train(pair, Momentum(.1, .5), Momentum(.2, .5), x)
        return np.concatenate(players(pair))

    def four_calls(Steps, **arguments):
        def train(pair, rule_G, rule_D, x):
            step = Steps(pair, rule_G, rule_D, generator_loss=loss, **arguments)
            for t in range(1, 5):
                step(x, t)
        return after(train)

    def simultaneously(pair, rule_G, rule_D, x):
        for _ in range(4):
            simultaneous_step(pair, rule_G, rule_D, x, loss)

    def algorithm(pair, rule_G, rule_D, x):
        algorithm_1(pair, rule_G, rule_D, lambda m: x, num_iterations=2, k=2, m=6, generator_loss=loss)

    assert_array_equal(four_calls(SimultaneousSteps), after(simultaneously))
    assert_array_equal(four_calls(SeparateSteps, discriminator_steps=2), after(algorithm))


def test_separate_steps_over_short_batches_and_epochs(monkeypatch):
    """k = 2 over epochs of 5, 5 and 3 rows: the count of D's steps goes on, and G draws as many rows as D just saw."""
    pair, rng, x = pair_and_data()
    log = []
    draw = pair.generator.noise
    monkeypatch.setattr(pair.generator, "noise", lambda m: log.append(m) or draw(m))
    step = SeparateSteps(pair, Spy("G", log), Spy("D", log), discriminator_steps=2)
    for t, m in enumerate((5, 5, 3) * 2, start=1):
        step(x[:m], t)
    assert log == [5, "D", 5, "D", 5, "G", 3, "D", 5, "D", 5, "G", 5, "D", 3, "D", 3, "G"]


@pytest.mark.usefixtures("float64")
def test_discriminator_learns_the_log_ratio_of_two_gaussians():
    """
    Proposition 1: of p_data = N(1, 1) and p_g = N(-1, 1) the best D is sigmoid(log p_data/p_g) = sigmoid(2x).

    With any other seed a D that learns right fails with probability below 1e-20: .1 is 9.8 standard errors of the last
    steps.
    """
    rng = RandomStream(3)
    G, D = MLP([Linear(1, 1, 0., rng, init_bias=-1)]), MLP([Linear(1, 1, 0., rng)])
    G.layers[0].W[...] = 1
    pair, rule = AdversaryPair(Generator(G, "gaussian", rng), D), Momentum(1., .5)
    for _ in range(60):
        discriminator_step(pair, rule, *pair.generator.with_noise(1 + rng.normal((10_000, 1))))
    assert_allclose(to_numpy(D.theta), [2, 0], atol=.1)


# Values known from elsewhere

@pytest.mark.usefixtures("float64")
def test_v_where_d_is_one_half():
    """Theorem 1: -log 4, whatever the data and the samples."""
    pair, rng, x = pair_and_data()
    pair.discriminator.theta[...] = 0
    assert float(pair.value(x, pair.generator.noise(3))) == pytest.approx(-1.3862943611, abs=1e-10)
    assert_array_equal(to_numpy(pair.discriminate(x)), .5)


def test_nothing_is_dropped_where_nothing_is_learned():
    pair, rng, x = pair_and_data(include_prob=.6)
    z = pair.generator.noise(6)
    p, q = to_numpy(pair.discriminate(x)), to_numpy(pair.discriminate(pair.generator.fprop(z)))
    assert p.shape == (6, 1) and (0 < p).all() and (p < 1).all()
    assert_allclose(p, expit(to_numpy(pair.discriminator.fprop(x))), rtol=1e-6)
    assert float(pair.value(x, z)) == pytest.approx(np.log(p).mean() + np.log(1 - q).mean(), rel=1e-5)


# Noise and samples

@pytest.mark.parametrize("prior", PRIORS)
def test_moments_of_the_noise(prior):
    """With any other seed right noise fails with probability 2e-7 or less: the last moment is 5.3 standard errors."""
    d, n = 3, 40_000
    z = to_numpy(Generator(MLP([Linear(d, 2, 1., RandomStream(1))]), prior, RandomStream(4)).noise(n))
    assert z.shape == (n, d) and z.dtype == "float32"
    variance, fourth = {"uniform": (1, 9 / 5), "gaussian": (1, 3), "spherical": (1 / 3, 1 / 5)}[prior]
    assert abs(z.mean(axis=0)).max() < 6 * (variance / n) ** .5
    assert_allclose(z.T @ z / n, variance * np.eye(d), atol=6 * (fourth / n) ** .5)
    assert (z ** 4).mean() == pytest.approx(fourth, rel=.05)
    if prior == "uniform":
        assert abs(z).max() <= 3 ** .5
    if prior == "spherical":
        assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-6)


@pytest.mark.usefixtures("float64")
def test_a_sample_is_one_forward_pass_of_its_own_noise():
    """Section 6: no Markov chain, so no sample depends on another row, or on one drawn before."""
    rng = RandomStream(1)
    G = small_generator(rng)
    state = rng.state
    samples = to_numpy(G.sample(7))
    assert samples.shape == (7, 4)
    assert len(np.unique(samples)) == samples.size
    rng.state = state
    z = G.noise(7)
    assert_array_equal(to_numpy(G.fprop(z)), samples)
    order = [3, 1, 6, 0, 2, 5, 4]
    assert_allclose(from_numpy(G.fprop, to_numpy(z)[order]), samples[order], rtol=1e-13)
    for i in range(7):
        assert_allclose(to_numpy(G.fprop(z[i:i + 1]))[0], samples[i], rtol=1e-13)
    rng.state = state
    assert_array_equal(to_numpy(G.sample(7)), samples)
    assert (to_numpy(G.sample(7)) != samples).all()


# Precision

@every_loss
@pytest.mark.parametrize("prior", PRIORS)
def test_single_precision_stays_single(prior, loss):
    pair, rng, x = pair_and_data(include_prob=.6, noise=prior)
    G, D = pair.generator, pair.discriminator
    rule_G, rule_D = Momentum(.1, .5), Momentum(.1, .5)
    simultaneous_step(pair, rule_G, rule_D, x, loss)
    discriminator_step(pair, rule_D, x, G.noise(6))
    generator_step(pair, rule_G, G.noise(6), loss)
    samples = G.sample(6)
    activations = [h for net, rows in ((G.mlp, G.noise(6)), (D, x), (D, samples)) for _, h in net.activations(rows)]
    for array in [G.theta, G.grad, D.theta, D.grad, rule_G.velocity, rule_D.velocity, samples, pair.discriminate(x),
                  pair.value(x, G.noise(6))] + activations:
        assert array.dtype == "float32"


# Bad arguments

def test_players_that_do_not_fit():
    rng = RandomStream(1)
    with pytest.raises(ValueError, match="D takes rows of 5 numbers, but G makes rows of 4"):
        AdversaryPair(small_generator(rng), MLP([Linear(5, 1, 1., rng)]))


@pytest.mark.parametrize("top", [
    lambda rng: [Sigmoid(4, 1, 1., rng)], lambda rng: [Linear(4, 2, 1., rng)], lambda rng: [Maxout(4, 1, 2, 1., rng)],
    lambda rng: [RectifiedLinear(4, 1, 1., rng)], lambda rng: [Linear(4, 1, 1., rng), Dropout(.5, rng=rng)]],
    ids=["sigmoid", "two units", "maxout", "rectifier", "dropout"])
def test_d_ends_in_one_linear_unit(top):
    rng = RandomStream(1)
    with pytest.raises(ValueError, match=r"D must end in Linear\(nvis, 1\).*got [SLMRD]"):
        AdversaryPair(small_generator(rng), MLP(top(rng)))


def test_bad_generators():
    rng = RandomStream(1)
    net = MLP([Linear(3, 4, 1., rng)])
    with pytest.raises(ValueError, match="noise must be one of uniform, gaussian, spherical, got 'unifrom'"):
        Generator(net, "unifrom", rng)
    with pytest.raises(TypeError, match="rng=npgan.backend.RandomStream"):
        Generator(net)
    for m in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"m must be a whole number >= 1, got {m}"):
            Generator(net, rng=rng).sample(m)


@pytest.mark.parametrize("name", ["num_iterations", "k", "m"])
def test_bad_numbers_of_steps(name):
    pair, rng, x = pair_and_data()
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1, got 0"):
        algorithm_1(pair, Spy(), Spy(), lambda m: x, **{"num_iterations": 1, name: 0})


def test_bad_discriminator_steps():
    pair, rng, x = pair_and_data()
    with pytest.raises(ValueError, match="discriminator_steps must be a whole number >= 1, got 0"):
        SeparateSteps(pair, Spy(), Spy(), discriminator_steps=0)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("step", [lambda pair, x: discriminator_step(pair, Spy(), *pair.generator.with_noise(x)),
                                  lambda pair, x: simultaneous_step(pair, Spy(), Spy(), x)], ids=["alone", "both"])
def test_bad_minibatches(step):
    pair, rng, x = pair_and_data()
    with pytest.raises(ValueError, match="m must be a whole number >= 1, got 0"):
        step(pair, x[:0])
    for wrong in (rng.uniform(0, 1, (6, 5)), x[:, 0], x[None]):
        with pytest.raises(ValueError, match=r"shape \(m, 4\)"):
            step(pair, wrong)
    for dtype in ("float64", "float16", "uint8"):                           # two of which would be promoted in silence
        with pytest.raises(TypeError, match=f"float32, got {dtype}"):
            step(pair, x.astype(dtype))
    for wrong, kind in ((to_numpy(x).tolist(), "list"), (np.asmatrix(to_numpy(x)), "matrix")):
        with pytest.raises(TypeError, match=f"the data must be a plain array, got a {kind}; npgan.backend.asarray"):
            step(pair, wrong)
    step(pair, x)                                                           # the players are none the worse


def test_one_rule_for_both_players():
    pair, rng, x = pair_and_data()
    rule = Momentum(.1)
    with pytest.raises(ValueError, match="give each net a rule of its own"):
        simultaneous_step(pair, rule, rule, x)


def test_data_of_another_precision_than_the_nets():
    pair, rng, x = pair_and_data()
    for judge in pair.discriminate, lambda x: pair.value(x, pair.generator.noise(6)):
        with pytest.raises(TypeError, match="computes in float32, got float64.*asarray"):
            judge(x.astype("float64"))


def dense_net(rng):
    return MLP([Dropout(.8, rng=rng), Maxout(4, 6, 2, 1., rng), Dropout(.5, rng=rng), RectifiedLinear(6, 5, 1., rng),
                MLP([Linear(5, 4, 1., rng), Sigmoid(4, 4, 1., rng)])])


def convolutional_net(rng):
    sees = MaxoutConv((4, 4, 1), 3, 2, (3, 3), (2, 2), (1, 1), .5, rng, pad=1)
    lays_down = Deconv((2, 2, 2), 1, (2, 2), .5, rng, output_stride=(2, 2))
    return MLP([Linear(4, 16, 1., rng), sees, Linear(sees.dim, 8, 1., rng), lays_down,
                Linear(lays_down.dim, 4, 1., rng)])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("net", [dense_net, convolutional_net])
def test_sampling_between_two_passes_leaves_the_gradients_as_they_are(net):
    """As by a callback or a thread that draws samples in the midst of an update."""
    def gradients(disturb):
        rng, z, x = RandomStream(1), RandomStream(2).normal((5, 4)), RandomStream(3).uniform(0, 1, (7, 4))
        G = Generator(net(rng), "gaussian", RandomStream(4))
        D = MLP([net(rng), Linear(4, 1, 1., rng)])
        pair = AdversaryPair(G, D)
        a = D.dropout_fprop(G.fprop(z))
        disturb(pair, x)
        dx = D.bprop(a)
        disturb(pair, x)
        G.bprop(dx)
        return np.concatenate([to_numpy(G.grad), to_numpy(D.grad)])

    alone = gradients(lambda pair, x: None)
    assert alone.any()
    assert_array_equal(gradients(lambda pair, x: (pair.generator.sample(3), pair.discriminate(x))), alone)
