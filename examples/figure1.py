"""
============================
Figure 1: a game on the line
============================

Plays Algorithm 1 between two small nets whose data are a Gaussian, and draws the four moments of Figure 1: (a) p_g is
near p_data and D partly right; (b) D, trained alone, has reached its optimum p_data / (p_data + p_g); (c) a step of G
has followed D's slope; (d) p_g nearly equals p_data, and D, near 1/2, cannot distinguish them.  Arrows lead from z to
x = G(z).  The script prints how well each panel satisfies this.

Writes ``figure1.png``, and ``figure1.gif`` with the whole game; with ``--live`` it is played in a window instead.
"""
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from typing import NamedTuple

from common import options, positive_int

import numpy as np
from matplotlib.figure import Figure
from toy import BLACK, BLUE, GREEN, ORANGE, Game, Gaussians, Grid, Keys, film, open_window, optimum, ticks

from npgan import viewer
from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.generator import SQRT3
from npgan.layers import Linear, Maxout, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.schedules import ExponentialDecay, PolyakAverage

chosen = options(__doc__, save_path="figure1.png",
                 iterations={"type": positive_int, "default": 2400, "help": "of Algorithm 1, default %(default)s"},
                 frames={"type": positive_int, "default": 90, "help": "of the film, default %(default)s"},
                 live={"action": "store_true", "help": "play in a window, where keys train D, G or both"})
print(f"seed {chosen.seed}")
window = open_window((7, 5.5)) if chosen.live else None

# %%
# The two players
# ---------------
# Rectifiers for G, maxout for D, uniform z.  The first biases spread the corners of both nets' piecewise linear
# functions over the range of their inputs.  Because z and -z are equally likely, we may let G start as an increasing
# function of z, so that its arrows do not cross.

weights_G, weights_D, noise, examples = (RandomStream([chosen.seed, i]) for i in range(4))
G = Generator(MLP([RectifiedLinear(1, 40, 1., weights_G, init_bias=weights_G.uniform(-SQRT3, SQRT3, (40,))),
                   RectifiedLinear(40, 40, .4, weights_G), Linear(40, 1, .5, weights_G, init_bias=2.)]),
              "uniform", noise)
ends = G.fprop(asarray([[-SQRT3], [SQRT3]]))
if ends[0] > ends[1]:
    G.mlp.layers[0].W *= -1
D = MLP([Maxout(1, 20, 3, 1., weights_D, init_bias=weights_D.uniform(-2, 2, (60,))),
         Maxout(20, 20, 3, .2, weights_D), Linear(20, 1, .2, weights_D)])
rule_G, rule_D = Momentum(.02, .5), Momentum(.15, .5)
data = Gaussians([[0.]], 1., examples)
game = Game(AdversaryPair(G, D), rule_G, rule_D, data.sample, m=200, k=2, decay=.998)

# %%
# A picture of the game
# ---------------------
# p_g is estimated from samples, with a Gaussian of width .15 around each of them.

SAMPLES, WIDTH, REACH = 20000, .15, 3.6
grid = Grid(5, 400, 1)
p_data = data.density(grid.x)
z = np.linspace(-SQRT3, SQRT3, 15)[:, None]


class Moment(NamedTuple):
    """The game at one moment: densities and D on the grid, x = G(z) of the arrows, and D* or None."""

    title: str
    p_data: np.ndarray
    p_g: np.ndarray
    D: np.ndarray
    x: np.ndarray
    optimum: np.ndarray = None

    @property
    def JSD(self):
        """Return the Jensen-Shannon divergence between p_data and p_g, in nats."""
        return grid.JSD(self.p_data, self.p_g)

    @property
    def total_variation(self):
        """Return the total variation between p_data and p_g."""
        return grid.total_variation(self.p_data, self.p_g)

    def off(self, wanted):
        """Return the largest |D - wanted| in the interval of 95% of the data."""
        return float(np.abs(self.D - wanted)[np.abs(grid.axis) < 1.96].max())


def moment(title, p_data, samples=SAMPLES, optimal=False):
    """Return the present `Moment` of the game, with a `title`, for the data density `p_data`; with D* if `optimal`."""
    p_g = grid.density(game.samples(samples), WIDTH)
    return Moment(title, p_data, p_g, game.D(grid.x), to_numpy(G.fprop(asarray(z)))[:, 0],
                  optimum(p_data, p_g) if optimal else None)


def panel(upper, lower, seen):
    """Draw a `Moment`: densities and D on the `upper` axes; z, x and the arrows between them on the `lower` axes."""
    upper.clear()
    lower.clear()
    upper.plot(grid.axis, 2 * seen.p_data, color=BLACK, linestyle=":", linewidth=2.5, label="$p_{data}$, the data")
    upper.plot(grid.axis, 2 * seen.p_g, color=GREEN, linestyle="-", linewidth=2, label="$p_g$, the samples")
    upper.plot(grid.axis, seen.D, color=BLUE, linestyle="--", linewidth=2, label="D")
    if seen.optimum is not None:
        upper.plot(grid.axis, seen.optimum, color=ORANGE, linestyle="-", linewidth=1,
                   label="D* = $p_{data}$ / ($p_{data}$ + $p_g$)")
    upper.set(xlim=(-REACH, REACH), xticks=[], ylim=(0, 1.25), yticks=[0, .5, 1])
    upper.set_title(seen.title, fontsize=13)
    upper.set_yticklabels(["0", "1/2", "1"])
    upper.spines[["top", "right"]].set_visible(False)

    start = z[:, 0] * REACH / SQRT3
    for height, name in ((0, "z"), (1, "x")):
        lower.axhline(height, color=BLACK, linewidth=1)
        lower.text(-REACH, height, f"{name}  ", ha="right", va="center", fontsize=13, style="italic")
    lower.quiver(start, np.zeros_like(start), seen.x - start, np.ones_like(start), angles="xy", scale_units="xy",
                 scale=1, width=.005, headwidth=5, color="#555555")
    lower.set(xlim=(-REACH, REACH), ylim=(-.15, 1.15))
    lower.set_axis_off()


# %%
# In a window
# -----------

if window:
    axes = window.subplots(2, 1, gridspec_kw={"height_ratios": [3, 1]})
    Keys(game, window, lambda: panel(*axes, moment("x = G(z)", p_data, 5000, optimal=True)), each=2).play()
    sys.exit()

# %%
# The whole game
# --------------
# In the paper's panel (a), p_g is near p_data and similar to it.  To get there, the pair first plays with data further
# right; then the data move.  (a) D has made a few steps on the moved data.  (b) Algorithm 1's inner loop continued to
# its end: D alone, averaged over the last of many steps.  (c) One step of G.  (d) Algorithm 1; in the second half the
# learning rates fall, and at the end both players have the averages of their parameters.

SHIFT, FEW, MANY = 1.1, 2, 1000
moments = {}
decay = ExponentialDecay([rule_G, rule_D], .02 ** (-2 / chosen.iterations))


def the_game():
    """Play the game, and yield each moment of the film."""
    data.centres[...] += SHIFT
    before = chosen.iterations // 3
    shown = ticks(before, chosen.frames // 4)
    for iteration in range(before):
        if iteration in shown:
            yield moment(f"before: data further right, {game.steps_G} iterations", data.density(grid.x))
        game.train_both()
    data.centres[...] -= SHIFT

    average = PolyakAverage(D, .99)
    shown = ticks(MANY, chosen.frames // 4)
    for step in range(MANY):
        if step == FEW:
            moments["a"] = moment("the data have moved", p_data, 200000)
        if step in shown:
            yield moment(f"the data have moved; D alone, {step} steps", p_data, optimal=True)
        game.train_D()
        average.add(step + 1)
    D.theta[...] = average.theta
    moments["b"] = moment(f"D alone, {MANY} steps, averaged", p_data, 200000, optimal=True)
    yield moments["b"]

    game.train_G()
    moments["c"] = moment("G alone, a step", p_data, 200000)
    yield moments["c"]

    shown = ticks(chosen.iterations, chosen.frames // 2)
    for iteration in range(1, chosen.iterations + 1):
        game.train_both()
        if iteration > chosen.iterations / 2:
            decay.set_learning_rates(iteration - chosen.iterations // 2)
        if iteration in shown:
            yield moment(f"Algorithm 1, {iteration} iterations", p_data)
    with game.averaged():
        moments["d"] = moment("Algorithm 1, both players averaged", p_data, 200000)
    yield moments["d"]


def frames(figure):
    """Draw each of the game's moments on `figure`."""
    axes = figure.subplots(2, 1, gridspec_kw={"height_ratios": [3, 1]})
    for seen in the_game():
        panel(*axes, seen)
        yield


film_path = f"{os.path.splitext(chosen.save_path)[0]}.gif"
screen = Figure(figsize=(5.6, 4.2), dpi=80, layout="constrained")
film(film_path, screen, frames(screen))

# %%
# The four panels
# ---------------

for letter, seen in moments.items():
    print(f"({letter}) JSD {seen.JSD:.4f} nats, total variation {seen.total_variation:.3f}, "
          f"|D - D*| at most {seen.off(optimum(p_data, seen.p_g)):.3f}, |D - 1/2| at most {seen.off(.5):.3f}")
TITLES = {"a": "(a) $p_g$ near $p_{data}$, D partly right", "b": "(b) D at its optimum",
          "c": "(c) after a step of G", "d": "(d) $p_g$ \u2248 $p_{data}$, D \u2248 1/2"}
figure = Figure(figsize=(13, 4.4), layout="constrained")
places = figure.add_gridspec(3, 4, height_ratios=[.25, 3, 1])
for column, (letter, seen) in enumerate(moments.items()):
    upper, lower = (figure.add_subplot(places[row, column]) for row in (1, 2))
    panel(upper, lower, seen._replace(title=TITLES[letter]))
    if letter == "a":
        upper.set_ylabel("D(x);  densities times 2", fontsize=12)
    if letter == "b":
        lines = upper.get_lines()
names = figure.add_subplot(places[0, :])
names.set_axis_off()
names.legend(lines, [line.get_label() for line in lines], loc="center", ncol=4, frameon=False, fontsize=13)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path} and {film_path}")
