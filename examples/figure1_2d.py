"""
==========================
Figure 1 in two dimensions
==========================

Plays Algorithm 1 between two small nets whose data are Gaussians in the plane, on a ring, a grid or a line, and draws
what GAN Lab shows in a browser (https://poloclub.github.io/ganlab): D as a map, samples with arrows of -dC/dx, the way
on which D sends each of them, p_g beside p_data, the z plane as G bends it, and the Jensen-Shannon divergence.

Writes ``figure1_2d.png``, and ``figure1_2d.gif`` with the whole game; with ``--live`` it is played in a window instead.
"""
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import options, positive_int

import numpy as np
from matplotlib.figure import Figure
from toy import BLACK, BLUE, GREEN, ORANGE, Game, Gaussians, Grid, Keys, film, open_window, ticks

from npgan import viewer
from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.generator import SQRT3
from npgan.layers import Linear, Maxout, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.schedules import ExponentialDecay

turns = np.arange(8) * np.pi / 4
DATASETS = {"ring": (1.5 * np.stack([np.cos(turns), np.sin(turns)], axis=1), .2),
            "grid": (1.5 * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(9, 2), .2),
            "line": (np.linspace(-1.6, 1.6, 5)[:, None] * [1, 1], .2)}
chosen = options(__doc__, save_path="figure1_2d.png",
                 dataset={"choices": tuple(DATASETS), "default": "ring", "help": "default %(default)s"},
                 iterations={"type": positive_int, "default": 3000, "help": "of Algorithm 1, default %(default)s"},
                 frames={"type": positive_int, "default": 40, "help": "of the film, default %(default)s"},
                 live={"action": "store_true", "help": "play in a window, where keys train D, G or both"})
print(f"seed {chosen.seed}")
window = open_window((10.5, 5.5)) if chosen.live else None

# %%
# The two players
# ---------------
# Rectifiers for G, maxout for D, z uniform on a square.  The first biases spread the corners of both nets' piecewise
# linear functions over the range of their inputs.

weights_G, weights_D, noise, examples = (RandomStream([chosen.seed, i]) for i in range(4))
G = Generator(MLP([RectifiedLinear(2, 64, 1., weights_G, init_bias=weights_G.uniform(-SQRT3, SQRT3, (64,))),
                   RectifiedLinear(64, 64, .25, weights_G), Linear(64, 2, .4, weights_G)]), "uniform", noise)
D = MLP([Maxout(2, 32, 3, 1., weights_D, init_bias=weights_D.uniform(-2, 2, (96,))),
         Maxout(32, 32, 3, .2, weights_D), Linear(32, 1, .2, weights_D)])
rule_G, rule_D = Momentum(.02, .5), Momentum(.15, .5)
centres, sigma = DATASETS[chosen.dataset]
data = Gaussians(centres, sigma, examples)
game = Game(AdversaryPair(G, D), rule_G, rule_D, data.sample, m=200, k=2, decay=.998)

# %%
# Pictures of the game
# --------------------
# p_g is estimated with a Gaussian of width .1 around each sample; p_data is smoothed with the same Gaussian.  An arrow
# for a slope of 1 is drawn with length 1/4.

WIDTH, REACH = .1, 3.
grid = Grid(REACH, 60, 2)
p_data = Gaussians(centres, np.hypot(sigma, WIDTH), examples).density(grid.x)
x_shown = to_numpy(data.sample(300))
with G.rng.aside([chosen.seed, 5]):
    z_shown = G.noise(150)
lines = np.linspace(-SQRT3, SQRT3, 13)
along = np.linspace(-SQRT3, SQRT3, 60)
mesh = [asarray(np.stack(pair, axis=1)) for c in lines for pair in ((along, 0 * along + c), (0 * along + c, along))]


def p_g(samples=20000):
    """Return p_g on the grid."""
    return grid.density(game.samples(samples), WIDTH)


def plane(ax, title):
    """Clear `ax` and set the limits that all pictures share."""
    ax.clear()
    ax.set(xlim=grid.axis[[0, -1]], ylim=grid.axis[[0, -1]], xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, fontsize=12)


def image(values):
    """Return the grid `values` as a matrix for contour plots, with rows along the vertical axis."""
    return values.reshape(len(grid.axis), -1).T


def show_game(ax, title, arrows=60):
    """Draw D's map with data, samples, and arrows in the direction in which D's gradient moves some samples."""
    plane(ax, title)
    D_map = image(game.D(grid.x))
    ax.contourf(grid.axis, grid.axis, D_map, np.linspace(0, 1, 11), cmap="Blues", vmax=1.7)
    ax.contour(grid.axis, grid.axis, D_map, [.5], colors=BLUE, linestyles="--", linewidths=1.5)
    ax.plot(*x_shown.T, ".", color=BLACK, markersize=2.5, label="data")
    samples = to_numpy(G.fprop(z_shown))
    ax.plot(*samples.T, "o", color=GREEN, markersize=5, markeredgecolor="white", markeredgewidth=.7, label="samples")
    way = game.descent(samples[:arrows])
    ax.quiver(*samples[:arrows].T, *way.T, color=ORANGE, angles="xy", scale_units="xy", scale=4, width=.006, zorder=3)


def show_density(ax, density, title):
    """Draw contours of a density, in equal steps up to the largest value of p_data."""
    plane(ax, title)
    ax.contourf(grid.axis, grid.axis, image(density), np.linspace(.03, 1, 9) * p_data.max(), cmap="Greys", extend="max")


def show_mesh(ax, title):
    """Draw the images under G of straight lines in the z plane."""
    plane(ax, title)
    for points in mesh:
        ax.plot(*to_numpy(G.fprop(points)).T, color=GREEN, linewidth=.8)


def show_divergence(ax):
    """Draw the JSD over the iterations so far."""
    ax.clear()
    ax.plot(*zip(*divergence), color=BLACK, linewidth=1.8)
    ax.set(ylim=(0, np.log(2)), xlabel="iterations")
    ax.set_box_aspect(1)
    ax.set_title("JSD of $p_{data}$ and $p_g$, in nats", fontsize=12)
    ax.spines[["top", "right"]].set_visible(False)


divergence = []


def measure():
    """Append the present divergence, and print it."""
    divergence.append((game.steps_G, grid.JSD(p_data, p_g())))
    return divergence[-1][1]


# %%
# In a window
# -----------

if window:
    left, right = window.subplots(1, 2, gridspec_kw={"width_ratios": [1.3, 1]})

    def draw():
        measure()
        show_game(left, "D dark where it says data;  arrows: -dC/dx")
        show_divergence(right)

    Keys(game, window, draw).play()
    sys.exit()

# %%
# The whole game
# --------------
# The learning rates fall to a fiftieth in the second half; the last picture shows the averages of both players'
# parameters.

figure = Figure(figsize=(12, 6.6), layout="constrained")
axes = figure.subplots(2, 4)
decay = ExponentialDecay([rule_G, rule_D], .02 ** (-2 / chosen.iterations))
shown = ticks(chosen.iterations, chosen.frames)
panels = [0, max(1, chosen.iterations // 100), max(2, chosen.iterations // 10)]


def frames(screen):
    """Play the game, and draw each moment of the film on `screen`."""
    ax = screen.subplots()
    for iteration in range(chosen.iterations + 1):
        if iteration:
            game.train_both()
            if iteration > chosen.iterations / 2:
                decay.set_learning_rates(iteration - chosen.iterations // 2)
        if iteration in panels:
            show_game(axes[0, panels.index(iteration)], f"{iteration} iterations")
        if iteration in shown:
            show_game(ax, f"{iteration} iterations, JSD {measure():.3f}")
            yield
    with game.averaged():
        show_game(ax, f"the average of both players, JSD {measure():.3f}")
        yield


film_path = f"{os.path.splitext(chosen.save_path)[0]}.gif"
screen = Figure(figsize=(4.4, 4.7), dpi=80, layout="constrained")
film(film_path, screen, frames(screen), fps=8)

# %%
# The figure
# ----------

with game.averaged():
    reached = p_g(200000)
    show_game(axes[0, 3], f"{chosen.iterations} iterations, averaged")
    show_density(axes[1, 1], reached, "$p_g$")
    show_mesh(axes[1, 2], "the z plane, bent by G")
    off = np.abs(game.D(grid.x) - .5)[p_data > .05 * p_data.max()]
show_density(axes[1, 0], p_data, "$p_{data}$")
show_divergence(axes[1, 3])
axes[0, 0].legend(loc="lower left", fontsize=9, markerscale=1.5, handletextpad=.2, borderpad=.3)
figure.supxlabel("above: D dark where it says data, dashed at 1/2; arrows -dC/dx, where D sends the samples",
                 fontsize=12)
viewer.save(chosen.save_path, figure)
print(f"{chosen.dataset}, {chosen.iterations} iterations, averaged: JSD {grid.JSD(p_data, reached):.4f} nats, "
      f"total variation {grid.total_variation(p_data, reached):.3f}, |D - 1/2| where data lie {off.mean():.3f} on "
      f"average, {off.max():.3f} at most")
print(f"wrote {chosen.save_path} and {film_path}")
