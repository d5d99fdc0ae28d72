"""
=====================================
Coordinating the two players, measured
=====================================

Section 7 of Goodfellow et al. (2014) hopes that training could be accelerated "by devising better methods for
coordinating G and D or determining better distributions to sample z from during training".  This script plays one small
game on the embedded digits and changes one thing at a time: k, the order of the updates, the loss of G, the prior of z,
or, with ``--compare options``, the further options of the authors' code.  Each game is played with several seeds and
evaluated by the Parzen log-likelihood of the test digits against processor time.

Reads the embedded digits, writes ``coordination.png``; 2.6 minutes of one core a seed, some 3.5 with the options.
"""
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import options, positive_int

import numpy as np
from matplotlib.figure import Figure

from npgan import backend, parzen, viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream
from npgan.costs import Saturating
from npgan.datasets import digits
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.released.coordination import AlternatingEpochs, CoordinatedSteps
from npgan.released.costs import Blend, Lazy, Thresholded
from npgan.released.noise_layers import Clusterize, IntrinsicDropout, NoiseCat
from npgan.schedules import PolyakAverage
from npgan.train import Train

chosen = options(__doc__, max_epochs=500, save_path="coordination.png",
                 seeds={"type": positive_int, "default": 5, "help": "games of each kind, default %(default)s"},
                 compare={"choices": ["section7", "options"], "default": "section7", "help": "default %(default)s"})
train, valid, test = (digits.load(which) for which in ("train", "valid", "test"))
seeds = range(chosen.seed, chosen.seed + chosen.seeds)

# %%
# A game and its judge
# --------------------
# The baseline is Algorithm 1 with k = 1, -log D(G(z)) for G and uniform noise.  Each evaluation uses 1,000 samples from
# an average of G over about a thousand steps; the time is processor time of the updates, without the evaluations.


class Judge:
    """An extension of `Train` that records, ten times a run, seconds of updates and the test digits' log-likelihood."""

    def __init__(self, average):
        self.average, self.curve = average, []
        self.seconds = self.start = 0.

    def on_monitor(self, train):
        """Stop the clock, evaluate if it is time, and start the clock."""
        self.seconds += time.process_time() - self.start if train.epoch else 0.
        pair, every = train.step.pair, -(-chosen.max_epochs // 10)
        if train.epoch and (train.epoch % every == 0 or train.epoch == chosen.max_epochs):
            with backend.aside(pair.streams, chosen.seed, train.epoch), self.average.applied():
                samples = pair.generator.sample(1000)
            self.curve.append((self.seconds, parzen.evaluate(test.X, valid.X, samples).mean))
        self.start = time.process_time()


def play(seed, steps=SeparateSteps, noise="uniform", rate_D=.1, inside=lambda rng: [], **keywords):
    """Play one game; return its curve, an array (times, 2) of seconds and nats.  `inside` makes noise layers for G."""
    weights_G, weights_D, z, masks, order = (RandomStream([seed, i]) for i in range(5))
    lower = MLP([RectifiedLinear(30, 100, .1, weights_G), *inside(z)])
    G = Generator(MLP([lower, RectifiedLinear(lower.dim, 100, .1, weights_G),
                       Sigmoid(100, 64, .1, weights_G, init_bias=marginal_bias(train.X))]), noise, z)
    D = MLP([Dropout(.8, rng=masks), Maxout(64, 40, 4, .1, weights_D),
             Dropout(.8, rng=masks), Maxout(40, 40, 4, .1, weights_D),
             Dropout(.8, rng=masks), Linear(40, 1, .1, weights_D)])
    step = steps(AdversaryPair(G, D), Momentum(.1, .5), Momentum(rate_D, .5), **keywords)
    average = PolyakAverage(G, decay=.999)
    judge = Judge(average)
    Train(step, train, 100, order, [average, judge]).main_loop(chosen.max_epochs)
    return np.array(judge.curve)


# %%
# One thing at a time
# -------------------
# The released code's step halves D's gradient, so with D's learning rate doubled only the order of the updates differs.
# The options are compared with that step, except those with steps of their own, which have Algorithm 1's gradients.

if chosen.compare == "section7":
    base, always = "base: Algorithm 1, k = 1, -log D, uniform z", {}
    panels = {
        "k, steps of D to one of G": {"k = 2": {"discriminator_steps": 2}, "k = 5": {"discriminator_steps": 5}},
        "order of updates": {"simultaneous, D's rate doubled": {"steps": SimultaneousSteps, "rate_D": .2},
                             "simultaneous, as released": {"steps": SimultaneousSteps}},
        "loss of G": {"log(1 - D)": {"generator_loss": Saturating()}},
        "prior of z": {"gaussian": {"noise": "gaussian"}, "spherical": {"noise": "spherical"}}}
else:
    base, always = "base: simultaneous, D's rate doubled", {"steps": CoordinatedSteps, "rate_D": .2}
    panels = {
        "gradient of G": {"scale_grads, to .1": {"scale_grads": True},
                          "no_drop_in_d_for_g": {"no_drop_in_d_for_g": True}},
        "losses": {"Blend(1, 1)": {"generator_loss": Blend()},
                   "Thresholded(0)": {"generator_loss": Thresholded()},
                   "Thresholded(.3), Lazy(.3)": {"generator_loss": Thresholded(.3), "discriminator_loss": Lazy(.3)}},
        "steps": {"alternate_g": {"alternate_g": True},
                  "AlternatingEpochs": {"steps": AlternatingEpochs, "rate_D": .1},
                  "generator_steps=2": {"steps": SeparateSteps, "rate_D": .1, "generator_steps": 2}},
        "noise": {"noise_both=.1": {"noise_both": .1},
                  "NoiseCat, 20 more": {"inside": lambda rng: [NoiseCat(100, 20, 1., rng)]},
                  "Clusterize(.3)": {"inside": lambda rng: [Clusterize(.3, rng)]},
                  "IntrinsicDropout(.8)": {"inside": lambda rng: [IntrinsicDropout(.8, rng=rng)]}}}
panels = {title: {base: {}, **panel} for title, panel in panels.items()}

games = {name: {**always, **changes} for panel in panels.values() for name, changes in panel.items()}
curves = {name: [] for name in games}
for seed in seeds:
    for name, changes in games.items():
        curves[name].append(play(seed, **changes))
        seconds, nats = curves[name][-1][-1]
        print(f"seed {seed}, {name}: {nats:.1f} nats after {seconds:.0f} s", flush=True)

# %%
# The table
# ---------
# At the end all games have used the same number of minibatches.  A step of G takes longer than a step of D, so games
# with more steps of D end sooner; the last column compares all games at the time when the fastest one ends.


def mean_and_error(values):
    """Return the mean over seeds, and its standard error (unknown with one seed)."""
    values = np.asarray(values)
    error = values.std(axis=0, ddof=1) / len(values) ** .5 if len(values) > 1 else np.full_like(values[0], np.nan)
    return values.mean(axis=0), error


soonest = min(curve[-1, 0] for of_seeds in curves.values() for curve in of_seeds)
over = f"mean and standard error of {chosen.seeds} seeds" if chosen.seeds > 1 else "one seed"
print(f"\nParzen log-likelihood of the {len(test)} test digits in nats, {over}"
      f"\n{'':<46}{'at the end':>15}{'seconds':>10}{f'after {soonest:.1f} s':>19}")
for name, of_seeds in curves.items():
    nats, error = mean_and_error([curve[-1, 1] for curve in of_seeds])
    early, early_error = mean_and_error([np.interp(soonest, *curve.T) for curve in of_seeds])
    seconds = np.mean([curve[-1, 0] for curve in of_seeds])
    error, early_error = (f" +- {each:.1f}" if chosen.seeds > 1 else "" for each in (error, early_error))
    print(f"  {name:<44}{nats:8.1f}{error:<7}{seconds:10.1f}{early:12.1f}{early_error}")

# %%
# The picture
# -----------
# Log-likelihood against time, with standard errors over the seeds; the baseline is black in every panel.

LINES = [{"color": "#000000", "marker": "o", "linestyle": "-"}, {"color": "#D55E00", "marker": "s", "linestyle": "--"},
         {"color": "#0072B2", "marker": "^", "linestyle": "-."}, {"color": "#E69F00", "marker": "v", "linestyle": ":"},
         {"color": "#009E73", "marker": "D", "linestyle": (0, (6, 2))}]
figure = Figure(figsize=(11, 8.5), layout="constrained")
axes = figure.subplots(2, 2, sharex=True, sharey=True)
for ax, (title, panel) in zip(axes.flat, panels.items()):
    for name, line in zip(panel, LINES):
        (seconds, nats), (_, error) = mean_and_error(curves[name])[0].T, mean_and_error(curves[name])[1].T
        ax.errorbar(seconds, nats, error, label=name.split(":")[0], capsize=3, linewidth=2, markersize=6, **line)
    ax.set_title(title, fontsize=15)
    ax.legend(fontsize=12)
    ax.tick_params(labelsize=12)
    ax.grid(alpha=.3)
bars = f" (bars: standard error over {chosen.seeds} seeds)" if chosen.seeds > 1 else ""
figure.supxlabel(f"processor time of the updates, s{bars}", fontsize=14)
figure.supylabel("Parzen log-likelihood of test digits, nats", fontsize=14)
viewer.save(chosen.save_path, figure)
print(f"\nwrote {chosen.save_path}")
