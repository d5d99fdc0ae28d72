"""The authors' options, switches and trainers: which gradient reaches whom, and who moves when."""
from functools import partial

import numpy as np
import pytest
from differences import central_difference, small_pair
from games import Run, Spy, conditional_pair, contents
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from npgan import checkpoint, mpi
from npgan.adversarial import SeparateSteps, SimultaneousSteps, simultaneous_step
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.checkpoint import CheckpointError, Saving
from npgan.costs import NonSaturating, Saturating
from npgan.datasets import Dataset
from npgan.learning_rule import Momentum
from npgan.released.coordination import ActivateGenerator, AlternatingEpochs, CoordinatedSteps, Cycler, ShrinkD
from npgan.released.costs import Blend, Lazy, Thresholded
from npgan.train import Train

LOSSES = [NonSaturating(), Saturating(), Blend(.3, 2.), Thresholded(.1)]


def pair_and_data(m=6, include_prob=.6):
    """A small pair, the one stream of its noise and masks, and m data rows."""
    rng = RandomStream(2014)
    return small_pair(rng, include_prob), rng, rng.uniform(0, 1, (m, 4))


def moved(steps, calls=4, push=0., **options):
    """All parameters and velocities after some `calls` of a step; `push` adds to D's last bias before."""
    pair, rng, x = pair_and_data()
    pair.discriminator.layers[-1].b += push
    rules = Momentum(.1, .5), Momentum(.2, .5)
    step = steps(pair, *rules, **options)
    for t in range(1, calls + 1):
        step(x, t)
    players = pair.generator, pair.discriminator
    return [to_numpy(vector) for player, rule in zip(players, rules) for vector in (player.theta, rule.velocity)]


def gradients(push=0., **options):
    """
    The gradients that the rules of G and D are given in one step, None for a rule that is not asked.

    And what the step began with: the pair, the stream and its place, the data.
    """
    pair, rng, x = pair_and_data()
    pair.discriminator.layers[-1].b += push
    place, spies = rng.state, (Spy(), Spy())
    CoordinatedSteps(pair, *spies, **options)(x, 1)
    return *(spy.grad if spy.grads else None for spy in spies), (pair, rng, place, x)


# The gradients of the two players

@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("push", [0, 5, -5])
@pytest.mark.parametrize("loss", LOSSES, ids=["-log D", "log(1 - D)", "blend", "thresholded"])
def test_with_no_option_it_is_the_simultaneous_step(loss, push):
    plain, fast = (moved(steps, generator_loss=loss, push=push) for steps in (CoordinatedSteps, SimultaneousSteps))
    for found, expected in zip(plain, fast):
        assert_allclose(found, expected, rtol=0, atol=1e-12 * abs(expected).max())


@pytest.mark.usefixtures("float64")
def test_with_no_option_it_is_the_simultaneous_step_of_conditional_games_too():
    x, found = RandomStream(4).uniform(0, 1, (6, 6)), []
    for steps in (CoordinatedSteps, SimultaneousSteps):
        pair = conditional_pair()
        step = steps(pair, Momentum(.1, .5), Momentum(.2, .5))
        for t in range(1, 4):
            step(x, t)
        found.append(np.concatenate([to_numpy(pair.generator.theta), to_numpy(pair.discriminator.theta)]))
    assert_allclose(*found, rtol=0, atol=1e-12)


G_TERMS = {"-log D": (NonSaturating(), lambda q, p: -np.log(q)),
           "log(1 - D)": (Saturating(), lambda q, p: np.log(1 - q)),
           "blend": (Blend(3., 1.), lambda q, p: -3 / 4 * np.log(q) + 1 / 8 * np.log(1 - q)),
           "thresholded": (Thresholded(.04), lambda q, p: -np.log(q) * (p < .54))}


@pytest.mark.numpy_only
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("noise_both", [0., .3])
@pytest.mark.parametrize("no_drop", [False, True], ids=["dropout", "no dropout for G"])
@pytest.mark.parametrize("term", G_TERMS)
def test_gradients_are_those_of_the_authors_objectives(term, no_drop, noise_both):
    """By differences of d_obj and g_obj, written out with NumPy's log; D is as lazy as G's samples are thresholded."""
    loss, g_term = G_TERMS[term]
    lazy = {"discriminator_loss": Lazy(.04)} if term == "thresholded" else {}
    grad_G, grad_D, (pair, rng, place, x) = gradients(push=-1.5, generator_loss=loss, no_drop_in_d_for_g=no_drop,
                                                      noise_both=noise_both, **lazy)
    G, D = pair.generator, pair.discriminator

    def objectives():
        rng.state = place
        rows = xp.concatenate([x, G.fprop(G.noise(6))])
        if noise_both:
            rows = rows + noise_both * rng.normal((12, 4))
        p = expit(to_numpy(D.dropout_fprop(rows)))
        q = expit(to_numpy(D.fprop(rows[6:]))) if no_drop else p[6:]
        on_data, on_samples = (p[:6] < .54, p[6:] > .46) if lazy else (1, 1)
        d_obj = -((np.log(p[:6]) * on_data).mean() + (np.log(1 - p[6:]) * on_samples).mean()) / 2
        return g_term(q, p[6:]).mean(), d_obj, p

    p = objectives()[2]
    if lazy:                                                        # some count, some do not
        assert 0 < (p[:6] < .54).sum() < 6 and 0 < (p[6:] > .46).sum() < 6 and 0 < (p[6:] < .54).sum() < 6
    assert_allclose(grad_G, central_difference(lambda: objectives()[0], G.theta), rtol=1e-6, atol=1e-9)
    assert_allclose(grad_D, central_difference(lambda: objectives()[1], D.theta), rtol=1e-6, atol=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("no_drop", [False, True], ids=["dropout", "no dropout for G"])
def test_scale_grads_only_ever_enlarges(no_drop):
    """A target above ||dC_G/dG(z)|| makes G's gradient grow by their ratio, one below leaves it; D's always stays."""
    grad_G, grad_D, (pair, rng, place, x) = gradients(no_drop_in_d_for_g=no_drop)
    G, D = pair.generator, pair.discriminator
    rng.state = place
    samples = G.fprop(G.noise(6))

    def g_obj():
        rng.state = place
        G.noise(6)
        a = D.dropout_fprop(xp.concatenate([x, samples]))[6:] if not no_drop else D.fprop(samples)
        return -np.log(expit(to_numpy(a))).mean()

    norm = np.linalg.norm(central_difference(g_obj, samples))
    for target, factor in ((.5 * norm, 1), (norm * .999, 1), (3 * norm, 3)):
        scaled_G, scaled_D, _ = gradients(no_drop_in_d_for_g=no_drop, scale_grads=True, target_scale=target)
        assert_allclose(scaled_G, factor * grad_G, rtol=1e-6)
        assert_array_equal(scaled_D, grad_D)


@pytest.mark.parametrize("push", [0, 40, -40, 90, -90, 200, -200])
@pytest.mark.parametrize("options", [{}, {"generator_loss": Saturating()}, {"no_drop_in_d_for_g": True},
                                     {"generator_loss": Thresholded(), "discriminator_loss": Lazy()}])
def test_single_precision_when_d_is_sure(options, push):
    """Whatever vanishes or is masked out altogether, no gradient becomes infinite or NaN."""
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for grad in gradients(push, scale_grads=True, **options)[:2]:
            assert grad.dtype == "float32" and np.isfinite(grad).all()


def test_scale_grads_revives_what_all_but_vanished():
    """log(1 - D) at D(G(z)) = e^-40 or so: a gradient of some 1e-18, brought to that of samples' norm .1."""
    dead, alive = (gradients(-40, generator_loss=Saturating(), scale_grads=on)[0] for on in (False, True))
    assert abs(dead).max() < 1e-15
    assert_allclose(alive / np.linalg.norm(alive), dead / np.linalg.norm(dead), rtol=1e-4, atol=1e-6)
    assert .01 < np.linalg.norm(alive) < 10


def test_a_lazy_d_that_is_right_and_sure_stands_still():
    """D(x) = 1 and D(G(z)) = 0 far from 1/2: nothing left for D, while G, whose samples all fail, still learns."""
    pair, rng, x = pair_and_data(include_prob=1.)
    D = pair.discriminator
    D.theta[...] = 0
    D.layers[1].W[:, 0], D.layers[-1].W[0] = 1, 20          # a = 20 (sum of the inputs) - 40
    D.layers[-1].b[...] = -40
    pair.generator.mlp.layers[-1].b -= 5                    # samples near 0, so sum < 2 < that of the data
    x[...] = .9
    spies = Spy(), Spy()
    CoordinatedSteps(pair, *spies, generator_loss=Thresholded(), discriminator_loss=Lazy())(x, 1)
    assert abs(spies[1].grad).max() < 1e-20 and abs(spies[0].grad).max() > 1e-3
    CoordinatedSteps(pair, *spies)(x, 1)
    assert abs(spies[1].grad).max() > 1e-18                 # without laziness there is a gradient, small as it is


def test_noise_for_both_leaves_the_minibatch_alone():
    pair, rng, x = pair_and_data()
    before = to_numpy(x).copy()
    CoordinatedSteps(pair, Momentum(.1), Momentum(.1), noise_both=.5)(x, 1)
    assert_array_equal(to_numpy(x), before)
    assert pair.generator.theta.dtype == pair.discriminator.theta.dtype == "float32"


# The switches

def test_the_authors_switch_lets_g_coast():
    """The gradient times 0: theta goes on by mu v, v <- mu v, and the norm limits hold; D learns as if nothing were."""
    pair, rng, x = pair_and_data()
    G, rule = pair.generator, Momentum(.1, .5)
    rule.bind(G)
    rule.velocity[...] = 1
    before, sigmoids = to_numpy(G.theta).copy(), G.mlp.layers[-1]
    sigmoids.max_col_norm = .3
    CoordinatedSteps(pair, rule, Momentum(.1), ever_train_generator=False)(x, 1)
    assert_array_equal(to_numpy(rule.velocity), .5)
    assert_allclose(np.linalg.norm(to_numpy(sigmoids.W), axis=0), .3, rtol=1e-5)
    free = np.ones(len(before), bool)
    free[20:40] = False                                     # the limited weights, between the biases
    assert_array_equal(to_numpy(G.theta)[free], before[free] + np.float32(.5))


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_frozen_player_is_frozen_to_the_last_bit(player):
    """Parameters and velocity; and though norm limits would move it, no rule is asked.  The other learns as ever."""
    pair, rng, x = pair_and_data()
    G, D = pair.generator, pair.discriminator
    rules = Momentum(.1, .5), Momentum(.1, .5)
    simultaneous_step(pair, *rules, x)
    (rests, rule), (moves, _) = [(G, rules[0]), (D, rules[1])][::1 if player == "generator" else -1]
    (rests.mlp if rests is G else rests).layers[-1].max_col_norm = .01
    before = [to_numpy(vector).copy() for vector in (rests.theta, rule.velocity, moves.theta)]
    step = CoordinatedSteps(pair, *rules, freeze=True, **{f"ever_train_{player}": False})
    for t in range(1, 4):
        step(x, t)
    assert_array_equal(to_numpy(rests.theta), before[0])
    assert_array_equal(to_numpy(rule.velocity), before[1])
    assert (to_numpy(moves.theta) != before[2]).any()


def test_switching_one_player_off_does_not_change_the_other_s_step():
    for player, i in (("generator", 1), ("discriminator", 0)):
        for freeze in (False, True):
            off = gradients(freeze=freeze, **{f"ever_train_{player}": False})
            assert_array_equal(off[i], gradients()[i])
            assert off[1 - i] is None if freeze else not off[1 - i].any()


def used(step_options, extensions, updates=8, batches=4):
    """On which updates of a `Train`, counted from 1, G's gradient is used and not multiplied by 0."""
    pair, rng, x = pair_and_data(m=batches * 2)
    spies = Spy(), Spy()
    step = CoordinatedSteps(pair, *spies, **step_options)
    Train(step, Dataset(to_numpy(x)), 2, RandomStream(1), extensions).main_loop(updates // batches)
    assert all(grad.any() for grad in spies[1].grads)
    return [i for i, grad in enumerate(spies[0].grads, start=1) if grad.any()]


@pytest.mark.parametrize("options, extensions, expected", [
    ({}, lambda: [], [1, 2, 3, 4, 5, 6, 7, 8]),
    ({"alternate_g": True}, lambda: [], [1, 3, 5, 7]),
    ({"alternate_g": True, "init_now_train_generator": False}, lambda: [], [2, 4, 6, 8]),
    ({}, lambda: [Cycler(1)], [1, 2, 3, 4, 5, 6, 7, 8]),
    ({}, lambda: [Cycler(3)], [1, 4, 7]),
    ({"init_now_train_generator": False}, lambda: [Cycler(3)], [4, 7]),
    ({"init_now_train_generator": False}, lambda: [], []),
    ({"init_now_train_generator": False}, lambda: [ActivateGenerator(1)], [5, 6, 7, 8]),
    ({"init_now_train_generator": False}, lambda: [ActivateGenerator(0)], [1, 2, 3, 4, 5, 6, 7, 8]),
    ({}, lambda: [ActivateGenerator(1, value=False)], [1, 2, 3, 4]),
    ({"ever_train_generator": False}, lambda: [ActivateGenerator(0), Cycler(2)], []),
])
def test_updates_on_which_g_learns(options, extensions, expected):
    assert used(options, extensions()) == expected


def test_shrink_d_shrinks_all_of_d_after_the_step():
    """theta_d <- f theta_d after the norm limits, biases too; G and the velocity are spared."""
    def after(*extensions):
        pair, rng, x = pair_and_data()
        pair.discriminator.layers[-1].max_col_norm = .5
        rules = Momentum(.1, .5), Momentum(.1, .5)
        Train(CoordinatedSteps(pair, *rules), Dataset(to_numpy(x)), 6, RandomStream(1), extensions).main_loop(1)
        return [to_numpy(v) for v in (pair.discriminator.theta, pair.generator.theta, rules[1].velocity)]

    (theta_d, *others), (shrunk, *same) = after(), after(ShrinkD(.75))
    assert_array_equal(shrunk, np.float32(.75) * theta_d)
    assert_array_equal(np.concatenate(same), np.concatenate(others))
    assert_array_equal(after(ShrinkD(1))[0], theta_d)


# Trainers

def log_of(steps, epochs, batches, **options):
    """Who moves in a `Train`, a string of D and G for each epoch."""
    pair, rng, x = pair_and_data(m=2 * batches)
    log = []
    step, train = steps(pair, Spy("G", log), Spy("D", log), **options), Dataset(to_numpy(x))
    train = Train(step, train, 2, RandomStream(1))
    told = []
    for epoch in range(1, epochs + 1):
        start = len(log)
        train.main_loop(epoch)
        told.append("".join(log[start:]))
    return told


@pytest.mark.parametrize("k, g, expected", [(1, 2, ["DGGDGGDGG"] * 2), (2, 3, ["DDGGGD", "DGGGDDGGG"])])
def test_several_steps_of_g(k, g, expected):
    assert log_of(SeparateSteps, 2, 3, discriminator_steps=k, generator_steps=g) == expected


def test_each_of_several_steps_of_g_has_fresh_noise(monkeypatch):
    pair, rng, x = pair_and_data()
    drawn, draw = [], pair.generator.noise
    monkeypatch.setattr(pair.generator, "noise", lambda m: drawn.append(draw(m)) or drawn[-1])
    SeparateSteps(pair, Spy(), Spy(), generator_steps=3)(x, 1)
    assert [len(z) for z in drawn] == [6] * 4
    rows = np.concatenate([to_numpy(z) for z in drawn])         # two rows of three float32 are equal: below 1e-15
    assert len(np.unique(rows, axis=0)) == 24


@pytest.mark.parametrize("k, batches, expected", [(1, 3, ["DDD", "DGD"] * 2), (2, 5, ["DDDDD", "DDGDD"] * 2),
                                                  (2, 6, ["DDDDDD", "DDGDDG"])])
def test_epochs_of_d_alone_alternate_with_epochs_of_both(k, batches, expected):
    assert log_of(AlternatingEpochs, len(expected), batches, discriminator_steps=k) == expected


def test_an_epoch_without_g_s_turn_is_refused():
    with pytest.raises(ValueError, match="an epoch of 3 minibatches ends before G's turn comes, after 3 of D"):
        log_of(AlternatingEpochs, 1, 3, discriminator_steps=3)


# Checkpoints

def coordinated(*players, **options):
    return CoordinatedSteps(*players, alternate_g=True, noise_both=.1, scale_grads=True, no_drop_in_d_for_g=True,
                            discriminator_loss=Lazy(.3), generator_loss=Thresholded(.3), **options)


GOING_ON = {"options": (coordinated, lambda: []), "cycler": (CoordinatedSteps, lambda: [Cycler(2)]),
            "head start": (partial(CoordinatedSteps, init_now_train_generator=False, freeze=True),
                           lambda: [ActivateGenerator(1), ShrinkD(.99)]),
            "steps of G": (partial(SeparateSteps, discriminator_steps=2, generator_steps=2), lambda: []),
            "alternating epochs": (AlternatingEpochs, lambda: [])}


@pytest.mark.numpy_only
@pytest.mark.parametrize("order, extensions", GOING_ON.values(), ids=GOING_ON)
def test_a_restored_run_goes_on_as_if_it_had_never_stopped(order, extensions, tmp_path):
    def run(path):
        started = Run(path, order)
        started.train.extensions[-1:-1] = extensions()
        return started

    undisturbed, stopped, restored = (tmp_path / f"{name}.npz" for name in ("undisturbed", "stopped", "restored"))
    run(undisturbed).main_loop(4)
    run(stopped).main_loop(1)                       # after 3 updates, in the midst of a cycle of two
    again = run(restored)
    checkpoint.restore(stopped, again.train)
    again.main_loop(4)
    assert contents(restored) == contents(undisturbed)


BLENDED = partial(CoordinatedSteps, generator_loss=Blend())


@pytest.mark.numpy_only
@pytest.mark.parametrize("order, extensions, message", [
    (partial(BLENDED, noise_both=.2), [Cycler(2)], "step.noise_both = 0.2 as in this run, found 0.0"),
    (partial(BLENDED, freeze=True), [Cycler(2)], "step.freeze = True as in this run, found False"),
    (partial(BLENDED, discriminator_loss=Lazy()), [Cycler(2)], "discriminator_loss.kind = 'Lazy'"),
    (partial(BLENDED, generator_loss=Blend(3, 1)), [Cycler(2)], "generator_loss.zurich_coeff = 3.0"),
    (BLENDED, [Cycler(3)], r"extensions\[4\].k = 3 as in this run, found 2"),
    (BLENDED, [ShrinkD(.9)], r"extensions\[4\].kind = 'ShrinkD' as in this run, found 'Cycler'"),
    (SimultaneousSteps, [], "step.kind = 'SimultaneousSteps'"),
])
def test_a_run_with_other_options_is_refused(order, extensions, message, tmp_path):
    saved = Run(tmp_path / "run.npz", BLENDED)
    saved.train.extensions[-1:-1] = [Cycler(2)]
    saved.main_loop(1)
    other = Run(tmp_path / "other.npz", order)
    other.train.extensions[-1:-1] = extensions
    with pytest.raises(CheckpointError, match=message):
        checkpoint.restore(tmp_path / "run.npz", other.train)


@pytest.mark.parametrize("extension", [ActivateGenerator(1), Cycler(2), ShrinkD(.9)], ids=lambda e: type(e).__name__)
def test_saving_comes_after_what_changes_the_run(extension, tmp_path):
    pair, rng, x = pair_and_data()
    step = CoordinatedSteps(pair, Momentum(.1), Momentum(.1))
    train = Train(step, Dataset(to_numpy(x)), 6, RandomStream(1), [Saving(tmp_path / "run.npz"), extension])
    with pytest.raises(ValueError, match=f"miss what {type(extension).__name__} does after it; put it last"):
        train.main_loop(1)


# Bad arguments

@pytest.mark.parametrize("make, message", [
    (lambda pair: CoordinatedSteps(pair, Spy(), Spy(), target_scale=0), "target_scale must be a number > 0, got 0"),
    (lambda pair: CoordinatedSteps(pair, Spy(), Spy(), noise_both=-.1), "noise_both is a standard deviation.*got -0.1"),
    (lambda pair: CoordinatedSteps(pair, Spy(), Spy(), noise_both=float("nan")), "noise_both .*got nan"),
    (lambda pair: SeparateSteps(pair, Spy(), Spy(), generator_steps=0), "generator_steps must be a whole number >= 1"),
    (lambda pair: AlternatingEpochs(pair, Spy(), Spy(), discriminator_steps=.5), "discriminator_steps .*got 0.5"),
    (lambda pair: Cycler(0), "k must be a whole number >= 1, got 0"),
    (lambda pair: ActivateGenerator(-1), "active_after must be a whole number >= 0, got -1"),
    (lambda pair: ShrinkD(0), r"factor must be in \(0, 1\], got 0; to keep D's parameters, leave the extension out"),
    (lambda pair: ShrinkD(1.01), r"factor must be in \(0, 1\], got 1.01"),
])
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(pair_and_data()[0])


@pytest.mark.parametrize("extension", [Cycler(2), ActivateGenerator(0)], ids=["cycler", "activate"])
@pytest.mark.parametrize("steps", [SimultaneousSteps, SeparateSteps, AlternatingEpochs])
def test_a_step_without_the_switch_is_refused(steps, extension):
    pair, rng, x = pair_and_data()
    train = Train(steps(pair, Momentum(.1), Momentum(.1)), Dataset(to_numpy(x)), 3, RandomStream(1), [extension])
    with pytest.raises(ValueError, match=f"{steps.__name__} has no switch now_train_generator.*CoordinatedSteps has"):
        train.main_loop(1)


def test_the_options_are_of_a_whole_minibatch():
    pair, rng, x = pair_and_data()
    train = Train(CoordinatedSteps(pair, Momentum(.1), Momentum(.1)), Dataset(to_numpy(x)), 6, RandomStream(1))
    with pytest.raises(ValueError, match="CoordinatedSteps cannot be shared among ranks"):
        mpi.share(train, None)


def test_bad_minibatches():
    pair, rng, x = pair_and_data()
    step = CoordinatedSteps(pair, Spy(), Spy(), noise_both=.1)
    for wrong in (rng.uniform(0, 1, (6, 5)), x[:, 0], x[None]):
        with pytest.raises(ValueError, match=r"shape \(m, 4\)"):
            step(wrong, 1)
    with pytest.raises(TypeError, match="float32, got uint8"):
        step(asarray(x).astype("uint8"), 1)
