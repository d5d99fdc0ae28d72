"""
===========================
The gradient that saturates
===========================

Early in learning D rejects samples with high confidence, and log(1 - D(G(z))) "saturates", says Section 3 of
Goodfellow et al. (2014); to maximise log D(G(z)) has the same fixed point "but provides much stronger gradients early
in learning".  Here both play the same game from the same start, on the embedded digits.

Reads the embedded digits, writes ``saturation.png``.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import options
from progress import Progress

import numpy as np
from matplotlib.figure import Figure

from npgan import viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.costs import NonSaturating, Saturating
from npgan.datasets import digits
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid, sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.train import Train

chosen = options(__doc__, max_epochs=200, save_path="saturation.png")
print(f"seed {chosen.seed}")
train = digits.load("train")
LOSSES = {"log(1 - D), eq. 1": Saturating(), "-log D": NonSaturating()}

# %%
# One factor apart
# ----------------
# A sample's loss reaches D as a number at its logit a, and all of G's gradient is proportional to that number:
#
#     d/da log(1 - sigmoid(a)) = -sigmoid(a) = -D          d/da -log sigmoid(a) = -sigmoid(-a) = -(1 - D)
#
# A sample that D surely rejects, D(G(z)) = 10^-4, gets 10^4 times as much gradient from the second loss.


class Gradients:
    """
    An extension of `Train` that measures, before training and after each epoch, what reaches G from the same 500 z.

    `curves` holds D(G(z)), its mean; and for each loss, whether G descends it or not, the norm of dC/dtheta_g.
    """

    def __init__(self, pair, z):
        self.pair, self.z, self.curves = pair, z, {"epoch": [], "D(G(z))": [], **{name: [] for name in LOSSES}}

    def on_monitor(self, game):
        """Measure the gradients; neither player moves."""
        G, D = self.pair.generator, self.pair.discriminator
        self.curves["epoch"].append(game.epoch)
        for name, loss in LOSSES.items():
            a = D.fprop(G.fprop(self.z))
            G.bprop(D.bprop(loss.grad(a), params=False), inputs=False)
            self.curves[name].append(float(xp.sqrt((G.grad ** 2).sum())))
        self.curves["D(G(z))"].append(float(sigmoid(a).mean()))


def play(name, loss):
    """Play one game, always from the same start; return its curves and eight samples."""
    weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))
    G = Generator(MLP([RectifiedLinear(30, 100, .05, weights_G), RectifiedLinear(100, 100, .05, weights_G),
                       Sigmoid(100, 64, .05, weights_G, init_bias=marginal_bias(train.X))]), "uniform", noise)
    D = MLP([Dropout(.8, rng=masks), Maxout(64, 60, 3, .05, weights_D),
             Dropout(.8, rng=masks), Linear(60, 1, .05, weights_D)])
    pair = AdversaryPair(G, D)
    with noise.aside([chosen.seed, 5]):
        gradients = Gradients(pair, G.noise(500))
    step = SeparateSteps(pair, Momentum(.1, .5), Momentum(.1, .5), generator_loss=loss)
    print(f"G descends {name}:")
    Train(step, train, 100, order, [gradients, Progress(chosen.max_epochs)]).main_loop(chosen.max_epochs)
    return {key: np.array(curve) for key, curve in gradients.curves.items()}, to_numpy(G.sample(8))


games = {name: play(name, loss) for name, loss in LOSSES.items()}
eq1, minus_log = LOSSES
for name, (curves, _) in games.items():
    least = curves["D(G(z))"].argmin()
    print(f"G descends {name}: D(G(z)) is least after epoch {curves['epoch'][least]}, {curves['D(G(z))'][least]:.1e};\n"
          f"  there G's gradient is {curves[eq1][least]:.1e} under eq. 1, {curves[minus_log][least]:.1e} under -log D; "
          f"after epoch {curves['epoch'][-1]} D(G(z)) is {curves['D(G(z))'][-1]:.1e}")

# %%
# What to see
# -----------
# D wins at once in both games, and D(G(z)) falls below 1/50.  Under eq. 1, G's gradient falls with it, so D becomes
# surer still and G stays where it is.  Under -log D the gradient grows as D becomes surer, and G recovers.

figure = Figure(figsize=(13, 6.6), layout="constrained")
(factor, *norms), (outputs, *pictures) = figure.subplots(2, 3)
colors = dict(zip(LOSSES, viewer.LINES[1:]))

a = np.linspace(-10, 4, 200)
for name, loss in LOSSES.items():
    slope = len(a) * np.abs(to_numpy(loss.grad(asarray(a[:, None]))))[:, 0]
    factor.semilogy(a, slope, label=name, color=colors[name][0], linestyle=colors[name][1], linewidth=1.8)
factor.set_title("the one factor")
factor.set_xlabel("logit a of D(G(z))")
factor.set_ylabel("|dC/da| of a sample")

for ax, name in zip(norms, LOSSES):
    curves = games[name][0]
    for other in LOSSES:
        ax.semilogy(curves["epoch"], curves[other], label=f"{other} (descended)" if other == name else other,
                    color=colors[other][0], linestyle=colors[other][1], linewidth=2.2 if other == name else 1)
    ax.set_title(f"G descends {name}")
    ax.set_ylim(1e-5, 1e3)
    ax.set_ylabel("norm of dC/dtheta_g")
for name in LOSSES:
    outputs.semilogy(games[name][0]["epoch"], games[name][0]["D(G(z))"], label=f"G descends {name}",
                     color=colors[name][0], linestyle=colors[name][1], linewidth=1.8)
outputs.set_title("what D says of samples")
outputs.set_ylabel("mean of D(G(z))")
outputs.set_ylim(1e-6, 30)
for ax in (*norms, outputs):
    ax.set_xlabel("epoch")
for ax in (factor, *norms, outputs):
    ax.legend(frameon=False, fontsize=9, loc="lower right" if ax is factor else "upper right")
    ax.spines[["top", "right"]].set_visible(False)
for ax, name in zip(pictures, LOSSES):
    ax.imshow(viewer.grid(2 * games[name][1].reshape(-1, 8, 8) - 1, 2, 4), interpolation="nearest")
    ax.set_title(f"samples after epoch {chosen.max_epochs}, {name}")
    ax.set_axis_off()
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
