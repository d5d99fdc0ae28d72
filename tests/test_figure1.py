"""Figure 1 on the line and in the plane: the panels hold what they claim, and the keys do what they say."""
import importlib
import os
import re
import runpy
import sys

import numpy as np
import pytest
from differences import central_difference
from matplotlib import pyplot
from matplotlib.backend_bases import KeyEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from scripts import ROOT, mistake

from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.costs import NonSaturating, Saturating
from npgan.layers import Linear, Maxout, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.train import TrainingDiverged


@pytest.fixture(scope="module", autouse=True)
def examples_on_path():
    """The examples' shared modules can be imported; a user's mistake still ends a test as Python would have it."""
    hook, environment = sys.excepthook, dict(os.environ)
    sys.path.insert(0, str(ROOT / "examples"))
    yield
    sys.path.remove(str(ROOT / "examples"))
    sys.excepthook = hook
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="module")
def toy():
    """The module that the scripts share."""
    return importlib.import_module("toy")


def played(script, folder, *arguments):
    """The names of a script, after it has run in this process and written to a folder."""
    before = sys.argv
    sys.argv = [script, "--save_path", str(folder / "figure.png"), *map(str, arguments)]
    try:
        return runpy.run_path(str(ROOT / "examples" / script))
    finally:
        sys.argv = before


def small_game(toy, d=2, k=2):
    """Nets of a few units, a game of Gaussians between them."""
    weights, noise, examples = (RandomStream([2014, i]) for i in range(3))
    G = Generator(MLP([RectifiedLinear(d, 6, 1., weights, init_bias=.1), Linear(6, d, 1., weights)]), "uniform", noise)
    D = MLP([Maxout(d, 5, 3, 1., weights, init_bias=weights.normal((15,))), Linear(5, 1, 1., weights)])
    data = toy.Gaussians(np.ones((2, d)) * [[-1], [1]], .3, examples)
    return toy.Game(AdversaryPair(G, D), Momentum(.05, .5), Momentum(.1, .5), data.sample, m=20, k=k, decay=.9)


def thetas(game):
    """theta_G and theta_D as they are now, NumPy arrays."""
    return [to_numpy(player.theta).copy() for player in (game.pair.generator, game.pair.discriminator)]


# Densities and distances

def test_density_of_gaussians_is_scipys(toy):
    centres, x = np.array([[0., 1.], [2., -1.]]), np.random.RandomState(0).normal(size=(5, 2))
    ours = toy.Gaussians(centres, .7, RandomStream(1)).density(x)
    assert_allclose(ours, sum(multivariate_normal(c, .49).pdf(x) for c in centres) / 2, rtol=1e-6)


def test_examples_are_drawn_from_all_gaussians_alike(toy):
    """With any other seed right examples fail with probability 1e-8: 4 numbers, each within six standard errors."""
    x = to_numpy(toy.Gaussians([[-3.], [0.], [3.]], .2, RandomStream(2014)).sample(30000))[:, 0]
    which = np.rint(x / 3)
    assert_allclose([(which == i).mean() for i in (-1, 0, 1)], 1 / 3, atol=6 * (2 / 9 / 30000) ** .5)
    assert (x - 3 * which).std() == pytest.approx(.2, abs=.005)


def test_distances_of_two_gaussians(toy):
    """KL is (mu_1 - mu_2)^2/2, total variation 2 Phi(|mu_1 - mu_2|/2) - 1; JSD is integrated by scipy."""
    grid = toy.Grid(8, 800, 1)
    p, q = norm(-.5).pdf(grid.axis), norm(1).pdf(grid.axis)
    assert grid.KL(p, q) == pytest.approx(1.5 ** 2 / 2, rel=1e-4)
    assert grid.total_variation(p, q) == pytest.approx(2 * norm.cdf(.75) - 1, rel=1e-4)

    def integrand(x):
        a, b = norm.pdf(x, -.5), norm.pdf(x, 1)
        return (a * np.log(2 * a / (a + b)) + b * np.log(2 * b / (a + b))) / 2
    assert grid.JSD(p, q) == pytest.approx(quad(integrand, -8, 8)[0], rel=1e-4)


def test_distance_of_what_has_nothing_in_common_is_log_2(toy):
    grid = toy.Grid(1, 10, 2)
    p, q = np.zeros(100), np.zeros(100)
    p[:50] = q[50:] = 1 / (50 * grid.width ** 2)
    assert grid.JSD(p, q) == pytest.approx(np.log(2))
    assert grid.total_variation(p, q) == pytest.approx(1)


@pytest.mark.parametrize("d", [1, 2])
def test_density_of_samples_is_that_of_a_gaussian_on_each(toy, d):
    grid = toy.Grid(2, 80, d)
    density = grid.density(np.full((7, d), .525), .2)                       # the midpoint of a cell
    assert_allclose(density, multivariate_normal(np.full(d, .525), .04).pdf(grid.x), atol=.01 * density.max())


def test_optimum_is_proposition_1(toy):
    assert_allclose(toy.optimum(np.array([.3, 0, .2, 0]), np.array([.1, .5, .2, 0])), [.75, 0, .5, .5])


# The game and its keys

@pytest.mark.parametrize("loss", [NonSaturating(), Saturating()], ids=["-log D", "log(1 - D)"])
def test_arrows_are_the_slope_of_each_samples_cost(toy, float64, loss):
    game = small_game(toy)
    x = game.samples(6)
    slope = np.concatenate([central_difference(lambda row=row: loss.cost(game.pair.discriminator.fprop(row)), row)
                            for row in (asarray(x[i:i + 1]) for i in range(6))])
    assert np.abs(slope).max() > .01
    assert_allclose(game.descent(x, loss), -slope, rtol=1e-6, atol=1e-9)


@pytest.fixture
def keyboard(toy):
    """A game on an Agg canvas, whose keys are pressed as a window would."""
    game, drawn = small_game(toy), []
    figure = Figure()
    canvas = FigureCanvasAgg(figure)
    keys = toy.Keys(game, figure, lambda: drawn.append((game.steps_D, game.steps_G)), each=3)

    def press(key):
        """What moved: theta_G, theta_D; each compared to the last bit."""
        before = thetas(game)
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))
        return tuple(not np.array_equal(*theta) for theta in zip(before, thetas(game)))
    return game, keys, press, drawn


def test_each_key_trains_whom_it_says(keyboard):
    game, keys, press, drawn = keyboard
    assert press("d") == (False, True)
    assert (game.steps_D, game.steps_G) == (1, 0)
    assert press("g") == (True, False)
    assert (game.steps_D, game.steps_G) == (1, 1)
    assert press("b") == (True, True)
    assert (game.steps_D, game.steps_G) == (3, 2)                           # k = 2
    assert press("x") == press("enter") == press(None) == (False, False)
    assert drawn == [(1, 0), (1, 1), (3, 2)]


def test_space_runs_and_pauses_and_a_step_by_hand_pauses(keyboard):
    game, keys, press, drawn = keyboard
    keys.on_time()
    assert (game.steps_D, game.steps_G) == (0, 0) and not drawn             # it starts paused
    assert press(" ") == (False, False)
    keys.on_time()
    assert (game.steps_D, game.steps_G) == (6, 3)
    press(" ")
    keys.on_time()
    assert (game.steps_D, game.steps_G) == (6, 3)
    press(" ")
    press("d")
    keys.on_time()
    assert (game.steps_D, game.steps_G) == (7, 3)


def test_the_window_tells_its_keys_and_what_was_done(keyboard):
    game, keys, press, drawn = keyboard
    press("d")
    told = keys.line.get_text()
    assert all(re.search(rf"\b{key}\b +{what}", told) for key, what in
               [("d", "D once"), ("g", "G once"), ("b", "both once"), ("space", "run or pause"), ("q", "quit")])
    assert "steps of D: 1    steps of G: 0    paused" in told
    press(" ")
    assert "running" in keys.line.get_text()


def test_in_its_window_the_game_has_the_keys_to_itself(toy, monkeypatch):
    """Matplotlib's own g toggles a grid, its d and b do nothing; q closes the window and ends the game."""
    pyplot.switch_backend("Agg")
    game, figure = small_game(toy), pyplot.figure()
    ax = figure.subplots()
    keys = toy.Keys(game, figure, lambda: None)

    def show():
        assert "paused" in keys.line.get_text()
        for key in ("g", " ", "q"):
            event = KeyEvent("key_press_event", figure.canvas, key)
            event.inaxes = ax
            figure.canvas.callbacks.process("key_press_event", event)
    monkeypatch.setattr(pyplot, "show", show)
    keys.play()
    assert game.steps_G == 1 and not ax.xaxis.get_gridlines()[0].get_visible()
    assert not pyplot.fignum_exists(figure.number) and not keys.running


def test_a_key_moves_the_same_as_algorithm_1(toy):
    by_hand, by_itself = small_game(toy, k=1), small_game(toy, k=1)
    by_hand.train_D()
    by_hand.train_G()
    by_itself.train_both()
    for theta in zip(thetas(by_hand), thetas(by_itself)):
        assert_array_equal(*theta)


def test_to_look_changes_no_game(toy):
    looked_at, left_alone = small_game(toy), small_game(toy)
    for game in (looked_at, left_alone):
        game.train_both()
        if game is looked_at:
            assert_array_equal(game.samples(50), game.samples(50))
            game.D(game.samples(5))
            game.descent(game.samples(5))
        game.train_both()
    for theta in zip(thetas(looked_at), thetas(left_alone)):
        assert_array_equal(*theta)


def test_averages_are_put_back(toy):
    game = small_game(toy)
    for _ in range(3):
        game.train_both()
    before, _ = thetas(game)
    with game.averaged():
        assert not np.array_equal(thetas(game)[0], before)
    assert_array_equal(thetas(game)[0], before)


def test_a_game_that_diverged_says_so(toy):
    game = small_game(toy)
    game.train_both()
    game.pair.generator.theta[0] = np.nan
    with pytest.raises(TrainingDiverged, match="after 1 steps of G and 2 of D; try another --seed"):
        game.samples(5)


# The scripts

@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """`figure1.py`, with a shorter last act and a short film."""
    folder = tmp_path_factory.mktemp("line")
    return {**played("figure1.py", folder, "--iterations", 600, "--frames", 5), "folder": folder}


@pytest.mark.numpy_only             # how good the last panel is depends on the random numbers
def test_panels_hold_what_they_claim(line, toy):
    """With this seed; how a game goes depends on its random numbers, and no false-alarm bound is claimed."""
    a, b, c, d = (line["moments"][letter] for letter in "abcd")
    data = norm.pdf(line["grid"].axis)
    assert_allclose(line["p_data"], data, rtol=1e-6)
    assert .05 < a.JSD < .3                                                    # near, and not there yet
    best = toy.optimum(data, b.p_g)
    assert_array_equal(b.optimum, best)
    assert b.off(best) < .1                                                    # D at its optimum
    assert a.off(toy.optimum(data, a.p_g)) > 2 * b.off(best)                   # and before that partly right
    assert c.JSD < b.JSD                                                       # G has moved towards the data
    assert d.JSD < .02 and d.total_variation < .1 and d.off(.5) < .2
    for moment in (a, b, c, d):
        assert moment.p_g.sum() * line["grid"].width == pytest.approx(1, abs=.01)


@pytest.mark.numpy_only             # likewise
def test_arrows_end_where_G_sends_z(line):
    """With this seed; how a game goes depends on its random numbers, and no false-alarm bound is claimed."""
    d = line["moments"]["d"]
    assert (np.diff(d.x) > 0).all()
    quantiles = norm.ppf((line["z"][1:-1, 0] / 3 ** .5 + 1) / 2)                # the increasing map to N(0, 1)
    assert_allclose(d.x[1:-1], quantiles, atol=.25)


def test_lines_are_drawn_as_in_the_paper(line):
    panels = [ax for ax in line["figure"].axes if len(ax.get_lines()) > 2]
    assert len(panels) == 4
    for ax, moment in zip(panels, line["moments"].values()):
        lines = {artist.get_label(): artist for artist in ax.get_lines()}
        data, samples, D = (next(artist for label, artist in lines.items() if word in label)
                            for word in ("the data", "the samples", "D"))
        red, green, blue = to_rgb(samples.get_color())
        assert (data.get_linestyle(), to_rgb(data.get_color())) == (":", (0, 0, 0))
        assert samples.get_linestyle() == "-" and green > 2 * max(red, blue)
        red, green, blue = to_rgb(D.get_color())
        assert D.get_linestyle() == "--" and blue > 2 * max(red, green)
        assert_array_equal(D.get_ydata(), moment.D)
        assert_allclose(samples.get_ydata(), 2 * moment.p_g)
    assert "D*" in "".join(artist.get_label() for artist in panels[1].get_lines())


def test_picture_and_film_are_written(line):
    assert imread(line["folder"] / "figure.png").shape[1] > 1500
    with Image.open(line["folder"] / "figure.gif") as gif:
        assert gif.n_frames > 5


def test_in_the_plane(tmp_path):
    """With this seed; how a game goes depends on its random numbers, and no false-alarm bound is claimed."""
    names = played("figure1_2d.py", tmp_path, "--iterations", 200, "--frames", 4)
    (_, start), *_, (iterations, end) = names["divergence"]
    assert iterations == 200 and end < .25 < start
    assert imread(tmp_path / "figure.png").shape[1] > 1500
    with Image.open(tmp_path / "figure.gif") as gif:
        assert gif.n_frames >= 5


@pytest.mark.parametrize("script, dataset", [("figure1.py", []), ("figure1_2d.py", ["--dataset", "line"])])
def test_live_without_a_display_ends_in_one_line(script, dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pyplot, "figure", Figure)               # a figure that no toolkit shows
    assert "--live opens a window" in mistake(monkeypatch, capsys, tmp_path, script, "--live", *dataset)
    assert not list(tmp_path.iterdir())
