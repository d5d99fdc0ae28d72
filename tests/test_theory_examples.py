"""The scripts about the paper's mathematics: each is run once, and its functions and numbers are put to the test."""
import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from differences import central_difference
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, multivariate_normal
from scripts import ROOT, mistake

from npgan import backend
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.learning_rule import Momentum

LOG4 = 1.3862943611


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """Runs a script of the examples in a folder of its own: the names that it defines, its picture among them."""
    folder = tmp_path_factory.mktemp("played")

    def played(script, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.syspath_prepend(ROOT / "examples")
            patch.setattr(sys, "argv", [script, *map(str, arguments)])
            patch.setattr(sys, "excepthook", sys.excepthook)
            patch.setattr(backend, "floatX", backend.floatX)
            names = runpy.run_path(str(ROOT / "examples" / script))
        return {**names, "picture": imread(folder / script.replace(".py", ".png"))}

    return played


@pytest.fixture(scope="module")
def theory(play):
    return play("theory.py")


@pytest.fixture
def densities():
    """Two distributions over 12 cells, and logits."""
    rng = np.random.RandomState(2014)
    return *rng.dirichlet(np.ones(12), size=2), rng.normal(size=12)


def test_a_learned_table_is_the_best_discriminator(theory):
    for x, p_data, p_g, a, climb, error, routes in theory["learned"].values():
        assert error < 5e-3 and len(x) == len(a)
        assert all(later <= before for before, later in zip(climb, climb[1:])) and climb[-1] < 1e-3
        assert_allclose(routes[0], -LOG4 + 2 * jensenshannon(p_data, p_g) ** 2, atol=1e-3)


@pytest.mark.parametrize("name, value", [
    ("uniforms that overlap by half", -np.log(2)), ("uniforms apart", 0), ("twice the same", -LOG4)])
def test_equations_5_and_6_on_known_pairs(theory, name, value):
    """With any other seed a right value fails with probability 2e-9: one random pair, six standard errors."""
    by_divergences, by_entropies, (sampled, standard_error) = theory["learned"][name][-1][1:]
    assert_allclose([by_divergences, by_entropies], value, atol=1e-9)
    assert abs(sampled - value) <= 6 * standard_error + 1e-9


def test_four_routes_to_C_agree(theory):
    """With any other seed right values fail with probability 6e-9: three pairs, six standard errors."""
    for *_, (learned, by_divergences, by_entropies, (sampled, standard_error)) in theory["learned"].values():
        assert_allclose(by_divergences, by_entropies, atol=1e-8)
        assert by_divergences - 1e-3 < learned < by_divergences + 1e-5
        assert abs(sampled - by_divergences) <= 6 * standard_error + 1e-9


def test_gradient_of_D_is_the_slope_of_U(theory, densities):
    p_data, p_g, a = densities
    numeric = central_difference(lambda: theory["U"](p_g, p_data, a), a)
    assert_allclose(theory["gradient_of_D"](p_g, p_data, a), numeric, rtol=1e-6, atol=1e-9)


def test_log_1_minus_D_is_the_slope_of_C(theory, densities):
    """Proposition 2: along q - p, which keeps the sum at 1, C has the slope of U for the D that is best at p."""
    p_data, p, _ = densities
    q = np.random.RandomState(1).dirichlet(np.ones(12))
    C, step = theory["C"], 1e-5
    numeric = (C(p + step * (q - p), p_data) - C(p - step * (q - p), p_data)) / (2 * step)
    assert_allclose(((q - p) * np.log(1 - p_data / (p_data + p))).sum(), numeric, rtol=1e-6)


def test_theorem_1_and_proposition_2_hold_for_random_pairs(theory):
    """Of random pairs 99.8 % break the inequality for a D that is short of the best, so no seed matters."""
    assert theory["excess"].min() > 0 and theory["pinsker"].min() >= 1
    assert theory["margin"].min() >= 0
    assert theory["margin_short"].min() < 0 <= (theory["margin_short"] + theory["short"]).min()
    assert theory["mu"][theory["path"].argmin()] == pytest.approx(0, abs=1e-9)
    assert_allclose(theory["path"].min(), -LOG4, atol=1e-9)


@pytest.mark.parametrize("v, nearest", [([.2, .3, .5], [.2, .3, .5]), ([.5, .5, 3], [0, 0, 1]),
                                        ([1, 1, -5], [.5, .5, 0]), ([.4, .4, .5], [.3, .3, .4])])
def test_nearest_point_of_the_simplex(theory, v, nearest):
    assert_allclose(theory["simplex"](np.array(v)), nearest, atol=1e-12)


def test_descent_reaches_the_data_if_D_keeps_up(theory):
    p_data, games = theory["p_data"], theory["games"]
    for name, most in (("D at its optimum", 1e-12), ("k = 5 steps of D", 1e-12), ("k = 1", 1e-6)):
        excess, p_g = games[name]
        assert abs(excess[-1]) < most, name
        assert_allclose(p_g, p_data, atol=1e-4)
    assert (np.diff(games["D at its optimum"][0]) < 1e-12).all() and np.diff(games["k = 1"][0]).max() > 1e-5
    assert_allclose(theory["halved"][5], theory["C"]((31 * p_data + theory["start"]) / 32, p_data) + LOG4, atol=1e-9)


def test_a_stale_D_leaves_one_cell(theory):
    excess, p_g = theory["games"]["D stale"]
    assert_array_equal(p_g, np.arange(len(p_g)) == theory["stale"].argmax())
    assert excess[-1] > 1


@pytest.fixture(scope="module")
def noise_gradient(play):
    return play("noise_gradient.py")


@pytest.mark.parametrize("name", ["pathwise", "score function", "score, less f(x)"])
def test_error_bars_of_the_gradient_through_noise_are_right(noise_gradient, float64, name):
    """
    The sum of d . cov^-1 d over 30 estimates of 5 numbers is nearly chi^2 of 150.

    So a false alarm has probability below 1e-6 (1e-7 for chi^2 itself).
    """
    x, exact = noise_gradient["x"], noise_gradient["smoothed_gradient"](noise_gradient["x"][None], 1.)[0]
    squares = []
    with noise_gradient["noise"].aside([2014, 9]):
        for _ in range(30):
            terms = noise_gradient["estimates"](x, 1., m=1000)[name]
            off = terms.mean(axis=0) - exact
            squares.append(off @ np.linalg.solve(np.cov(terms.T) / len(terms), off) / 5)
    low, high = chi2.interval(1 - 1e-7, 150)
    assert low < 5 * np.sum(squares) < high


def test_the_smoothed_gradient_tends_to_the_backward_pass(noise_gradient, float64):
    """With any other x it fails with probability below 1e-12: the ratio is 10 standard errors away."""
    smoothed, gradient = noise_gradient["smoothed_gradient"], noise_gradient["gradient"]
    x = np.random.RandomState(1).normal(size=(5000, 5))
    off = [np.abs(smoothed(x, sigma) - gradient(x)).max(axis=1) for sigma in (1., .1, .01, 1e-3)]
    assert np.mean(off, axis=1)[0] > 15 * np.mean(off, axis=1)[2]
    assert np.median(off[3]) < 1e-9                                     # but for points that chance puts at a kink
    assert_allclose(noise_gradient["smoothed"], (noise_gradient["off"] + noise_gradient["on"]) / 2, atol=1e-9)


def test_the_score_functions_error_grows_as_sigma_vanishes(noise_gradient, float64):
    """With any other noise it fails with probability below 1e-7: the two bounds are 11.5 and six standard errors."""
    x, estimates = noise_gradient["x"], noise_gradient["estimates"]
    with noise_gradient["noise"].aside([2014, 9]):
        spread = {sigma: {name: terms.std() for name, terms in estimates(x, sigma).items()} for sigma in (1e-2, 1e-3)}
    assert spread[1e-3]["score function"] == pytest.approx(10 * spread[1e-2]["score function"], rel=.05)
    assert spread[1e-3]["score, less f(x)"] == pytest.approx(spread[1e-2]["score, less f(x)"], rel=.1)
    assert spread[1e-3]["pathwise"] < 1e-6 + spread[1e-2]["pathwise"]


def test_saturation_shows_which_gradient_survives(play):
    """With this seed; how a game goes depends on its random numbers, and no false-alarm bound is claimed."""
    saturation = play("saturation.py", "--max_epochs", 14)
    for curves, samples in saturation["games"].values():
        eq1, minus_log = (curves[name] for name in saturation["LOSSES"])
        assert eq1[0] == pytest.approx(minus_log[0], rel=.1)            # at D = 1/2 the two are one
        assert curves["D(G(z))"][-1] < .05 and minus_log[-1] > 10 * eq1[-1]
        assert samples.shape == (8, 64)


@pytest.fixture(scope="module")
def helvetica(play):
    return play("helvetica.py", "--num_iterations", 14)         # fewer than the steps of G to one of D in some games


def test_helvetica_plays_five_games_however_short(helvetica):
    assert list(helvetica["games"]) == [1, 5, 25, 125, np.inf]
    assert all(game.steps[-1] == 4 + 14 for game in helvetica["games"].values())


def test_modes_kept_is_a_number_of_modes(helvetica):
    kept, centres = helvetica["modes_kept"], helvetica["centres"]
    assert kept(np.tile(centres, (5, 1)) * 1.1) == pytest.approx(8)
    assert kept(np.tile(centres[3], (7, 1))) == pytest.approx(1)
    assert kept(np.concatenate([np.tile(centres[:2], (50, 1)), centres[2:3]])) == pytest.approx(2.1, abs=.05)


@pytest.mark.numpy_only             # how a game goes depends on its random numbers
def test_a_stale_D_collapses_G_and_a_D_that_keeps_up_does_not(helvetica):
    """With this seed; how a game goes depends on its random numbers, and no false-alarm bound is claimed."""
    start = helvetica["Game"]().go_on(250, steps_G=1)
    D = start.pair.discriminator.theta.copy()
    stale, synchronised = start.go_on(600, steps_G=601), start.go_on(250, steps_G=1)
    assert start.kept[-1] > 7 and synchronised.kept[-1] > 7 and stale.kept[-1] < 2.5
    assert_array_equal(stale.pair.discriminator.theta, D)
    assert_array_equal(start.pair.discriminator.theta, D)               # the games go on from copies


@pytest.fixture(scope="module")
def sharp(play):
    return play("sharp.py", "--max_epochs", 20)


def test_em_is_maximum_likelihood(sharp, monkeypatch):
    """With any other rows right moments fail with probability 2e-9, EM's start apart."""
    monkeypatch.setitem(sharp["em"].__globals__, "rng", np.random.default_rng(1))       # draws where EM starts
    rng = np.random.default_rng(1)
    means, covariances = np.array([[0, 0], [4, 1]]), np.array([[[1, .5], [.5, 1]], [[.2, 0], [0, .6]]])
    x = np.concatenate([rng.multivariate_normal(mean, covariance, size)
                        for mean, covariance, size in zip(means, covariances, (3000, 1000))])
    log_p = sharp["log_densities"](x[:9], np.array([.75, .25]), means, covariances)
    for k, weight in enumerate((.75, .25)):
        assert_allclose(log_p[:, k], np.log(weight) + multivariate_normal(means[k], covariances[k]).logpdf(x[:9]))
    weights, fitted, spread = sharp["em"](x, K=2)
    order = fitted[:, 0].argsort()
    assert_allclose(weights[order], [.75, .25], atol=.02)
    assert_allclose(fitted[order], means, atol=.15)
    assert_allclose(spread[order], covariances, atol=.18)


def test_a_markov_chain_visits_all_modes_of_a_blurred_density_and_one_of_a_sharp_one(sharp, monkeypatch):
    """With any other seed a chain misses this with probability about 1e-8."""
    monkeypatch.setitem(sharp["modes_visited"].__globals__, "rng", np.random.default_rng(1))
    assert sharp["modes_visited"](.5, chains=20, length=500) > 7.5
    assert sharp["modes_visited"](.03, chains=20, length=500) == 1
    assert list(sharp["visited"]) == sorted(sharp["visited"], reverse=True)


def test_distances_to_a_curve(sharp):
    off = sharp["distances"](np.array([[1.5, 0.], [0, .4]]), sharp["supports"]["curve"])
    assert off[0] == pytest.approx(.5, abs=1e-3)
    for what, (train, valid) in sharp["rows"].items():
        assert max(sharp["distances"](x, sharp["supports"][what]).max() for x in (train, valid)) < .0053


def test_blur_is_noise_of_width_tau_in_training_alone(sharp):
    """With any other seed right noise fails with probability 1e-9: 4 numbers, six standard errors."""
    blur, x = sharp["Blur"](.2, RandomStream(2014)), asarray(np.full((20000, 2), 3.))
    assert_array_equal(to_numpy(blur.fprop(x)), to_numpy(x))
    blurred = to_numpy(blur.dropout_fprop(x))
    assert_allclose(blurred.mean(axis=0), 3, atol=.009)
    assert_allclose(blurred.std(axis=0), .2, atol=.0065)
    assert_array_equal(to_numpy(blur.bprop(x)), to_numpy(x))


def test_tau_and_Gs_rate_fade_after_a_fifth_of_the_updates(sharp):
    blur, rule = sharp["Blur"](.3, RandomStream(2014)), Momentum(.01)
    fading, seen = sharp["Fading"](blur, rule, .3, .003, updates=50), []
    for updates in range(1, 51):
        fading.on_update(SimpleNamespace(updates=updates))
        seen.append((blur.tau, rule.learning_rate))
    assert seen[:10] == [(.3, .01)] * 10
    assert_allclose(seen[-1], (.003, 1e-5))
    assert len({round(later[0] / before[0], 6) for before, later in zip(seen[10:], seen[11:])}) == 1


def test_a_staircase_is_flat_but_at_its_steps(sharp):
    """
    After a short training, too: of 5,000 z few are on the way from one of 33 values to the next.

    With this seed; how much is flat depends on the training's random numbers, and no false-alarm bound is claimed.
    """
    x = sharp["x"]
    moving = np.abs(np.diff(x, axis=0)).max(axis=1) > 1e-4
    assert 0 < moving.mean() < .15
    assert_allclose(sharp["shares"](np.repeat(sharp["points"], [1, 2, 3, 4, 0], axis=0)), [.1, .2, .3, .4, 0])


def test_every_picture_is_drawn(theory, noise_gradient, helvetica, sharp):
    for names in (theory, noise_gradient, helvetica, sharp):
        assert names["picture"].shape[0] > 500 and names["picture"][..., :3].std() > .05


def test_a_mistaken_number_ends_in_one_line(tmp_path, monkeypatch, capsys):
    line = mistake(monkeypatch, capsys, tmp_path, "helvetica.py", "--num_iterations", 0)
    assert line.endswith("--num_iterations: must be a whole number >= 1, got '0'") and not list(tmp_path.iterdir())
