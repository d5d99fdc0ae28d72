"""
======================
The Helvetica scenario
======================

"G must not be trained too much without updating D, in order to avoid 'the Helvetica scenario' in which G collapses
too many values of z to the same value of x to have enough diversity to model p_data" (Section 6 of Goodfellow et al.,
2014).  Here p_data has eight modes in a plane.  A game with one step of each player finds them; from there it goes on
with 1, 5, 25 or 125 steps of G to each step of D, or with a D that is never updated, and the modes that G keeps are
counted.  Then the worst of these games goes on with one step of each again, the cure.

Writes ``helvetica.png``.
"""
import copy
import math
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import options, positive_int

import numpy as np
from matplotlib.figure import Figure
from scipy.special import entr

from npgan import viewer
from npgan.adversarial import AdversaryPair, Generator, discriminator_step, generator_step
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.layers import Linear, Maxout, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP

chosen = options(__doc__, save_path="helvetica.png",
                 num_iterations={"type": positive_int, "default": 1000, "help": "G's steps in a game, default 1000"})
print(f"seed {chosen.seed}")

# %%
# Eight modes, and how many of them G keeps
# -----------------------------------------
# Each sample counts for the mode that is nearest.  With q_i the share of mode i, exp(H(q)) is 8 if all have the same
# share, 1 if one has it all: a number of modes, in which a rare one counts for little.

angles = 2 * np.pi * np.arange(8) / 8
centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
SPREAD = .1


def data(m, rng):
    """m examples: a mode each, and N(0, SPREAD^2) about it in both coordinates."""
    mode = rng.integers(len(centres), size=m)
    return asarray(centres[mode] + SPREAD * rng.standard_normal((m, 2)))


def modes_kept(samples):
    """exp of the entropy, in nats, of the shares of the modes nearest to the samples (m, 2)."""
    nearest = ((samples[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    return np.exp(entr(np.bincount(nearest, minlength=len(centres)) / len(samples)).sum())


# %%
# The games
# ---------
# Rates that let the game with one step of each go well: D's is five times G's.


class Game:
    """A pair, its rules and its data; `steps` and `kept` are its history, G's steps and the modes kept after them."""

    def __init__(self):
        weights_G, weights_D, noise = (RandomStream([chosen.seed, i]) for i in range(3))
        G = Generator(MLP([RectifiedLinear(2, 48, .5, weights_G), RectifiedLinear(48, 48, .2, weights_G),
                           Linear(48, 2, .2, weights_G)]), "gaussian", noise)
        D = MLP([Maxout(2, 24, 3, .5, weights_D), Maxout(24, 24, 3, .3, weights_D), Linear(24, 1, .3, weights_D)])
        self.pair, self.rule_G, self.rule_D = AdversaryPair(G, D), Momentum(.02, .5), Momentum(.1, .5)
        self.rng = np.random.default_rng(chosen.seed)
        self.steps, self.kept = [0], [modes_kept(self.samples())]

    def go_on(self, num_iterations, steps_G):
        """A copy of this game after `num_iterations` more steps of G, and a step of D after every `steps_G` of them."""
        game = copy.deepcopy(self)
        game.steps, game.kept = self.steps[-1:], self.kept[-1:]
        for iteration in range(1, num_iterations + 1):
            G = game.pair.generator
            generator_step(game.pair, game.rule_G, G.noise(64))
            if iteration % steps_G == 0:
                x = data(64, game.rng)
                discriminator_step(game.pair, game.rule_D, x, G.noise(64))
            if iteration % max(1, num_iterations // 50) == 0:
                game.steps.append(self.steps[-1] + iteration)
                game.kept.append(modes_kept(game.samples()))
        return game

    def samples(self):
        """500 samples of G, always from the same noise, a NumPy array (500, 2)."""
        G = self.pair.generator
        with G.rng.aside([chosen.seed, 3]):
            return to_numpy(G.sample(500))


start = Game().go_on(max(1, chosen.num_iterations // 3), steps_G=1)
never = math.inf
games = {steps_G: start.go_on(chosen.num_iterations, steps_G) for steps_G in (1, 5, 25, 125, never)}
cure = games[never].go_on(chosen.num_iterations, steps_G=1)

print(f"one step of each, {start.steps[-1]} times: {start.kept[-1]:.1f} of 8 modes kept")
print(f"steps of G to one of D, for {chosen.num_iterations} steps of G: modes kept at the end, and on average")
for steps_G, game in games.items():
    print(f"  {steps_G if steps_G < never else 'D stale':>7}{game.kept[-1]:7.1f}{np.mean(game.kept[1:]):7.1f}")
print(f"then one step of each, {chosen.num_iterations} times: {cure.kept[-1]:.1f}")

# %%
# The picture
# -----------

figure = Figure(figsize=(13, 6.6), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1, 1.25])
shown = {"one step of each": start, "then 5 of G to one of D": games[5], "or 25": games[25], "or 125": games[125],
         "or D stale": games[never], "D stale, then cured": cure}
for ax, (name, game) in zip(above.subplots(1, len(shown)), shown.items()):
    samples = game.samples()
    ax.plot(*centres.T, "o", color="#BBBBBB", markersize=16)
    ax.plot(*samples.T, ".", color="#000000", markersize=2.5)
    ax.set_xlim(-1.6, 1.6)
    ax.set_ylim(-1.6, 1.6)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(f"{name}\n{game.kept[-1]:.1f} modes", fontsize=10)

history, measure = below.subplots(1, 2, width_ratios=[2.2, 1])
history.plot(start.steps, start.kept, color="#000000", linewidth=2.2, label="one step of each")
for steps_G, (color, dashes) in zip((5, 25, 125), viewer.LINES[1:]):
    history.plot(games[steps_G].steps, games[steps_G].kept, color=color, linestyle=dashes, linewidth=1.6,
                 label=f"{steps_G} steps of G to one of D")
history.plot(games[never].steps, games[never].kept, color="#888888", linewidth=1.6, label="D stale")
history.plot(cure.steps, cure.kept, color="#000000", linewidth=2.2)
history.text(cure.steps[3 * len(cure.steps) // 10], 6.2, "the cure: one step of each again", fontsize=9)
history.set_xlabel("steps of G")
history.set_ylabel("modes kept, exp(entropy)")
history.set_ylim(0, 8.3)
history.legend(frameon=False, fontsize=9, loc="center right")

measure.plot([np.mean(game.kept[1:]) for game in games.values()], "o-", color="#000000")
measure.set_xticks(range(len(games)), [steps_G if steps_G < never else "D stale" for steps_G in games])
measure.set_xlabel("steps of G to one of D")
measure.set_ylabel("modes kept, on average")
measure.set_ylim(0, 8.3)
for ax in (history, measure):
    ax.spines[["top", "right"]].set_visible(False)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
