"""
======================
Healthy and sick games
======================

Four short games on the embedded digits, and how the monitor tells them apart: a healthy one; a generator whose gradient
vanishes (Section 3); one that collapses (Section 6, "the Helvetica scenario"); and a discriminator that overfits.

Reads the embedded digits, writes ``sick_games.png``.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import options
from progress import Progress

from matplotlib.figure import Figure

from npgan import viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, generator_step
from npgan.backend import RandomStream, to_numpy
from npgan.costs import Saturating
from npgan.datasets import Dataset, digits
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import Monitor
from npgan.train import Train

chosen = options(__doc__, max_epochs=300, save_path="sick_games.png")
print(f"seed {chosen.seed}")
train, valid = digits.load("train"), digits.load("valid")


def play(name, steps, data=train, include_prob=.8, learning_rate=.1, **keywords):
    """One game from the same start: its name, the monitor's history and eight samples."""
    weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))
    G = Generator(MLP([RectifiedLinear(50, 200, .05, weights_G), RectifiedLinear(200, 200, .05, weights_G),
                       Sigmoid(200, 64, .05, weights_G, init_bias=marginal_bias(train.X))]), "uniform", noise)
    D = MLP([Dropout(include_prob, rng=masks), Maxout(64, 60, 5, .05, weights_D),
             Dropout(include_prob, rng=masks), Maxout(60, 60, 5, .05, weights_D),
             Dropout(include_prob, rng=masks), Linear(60, 1, .05, weights_D)])
    step = steps(AdversaryPair(G, D), Momentum(learning_rate, .5), Momentum(learning_rate, .5), **keywords)
    epochs = chosen.max_epochs * len(train) // len(data)                # as many minibatches, however few the rows
    monitor = Monitor({"valid": valid}, seed=chosen.seed, every=max(1, epochs // 60))
    print(f"{name}:")
    Train(step, data, 100, order, [monitor, Progress(epochs)]).main_loop(epochs)
    return name, monitor.history, to_numpy(G.sample(8))


# %%
# Four games
# ----------
# The same nets and the same random numbers; the title says what differs.  A D that overfits grows ever steeper, and at
# the rate of the other games its updates overshoot in the end, so that some seeds reach NaN: hence half that rate.

class HalfwayStale(SeparateSteps):
    """A healthy game for half the time; then G trains on against a D that no longer learns: the Helvetica scenario."""

    def __call__(self, x, t):
        if t <= chosen.max_epochs / 2 * len(train) / 100:
            super().__call__(x, t)
        else:
            generator_step(self.pair, self.rule_G, self.pair.generator.noise(len(x)), self.generator_loss)


games = [
    play("healthy", SeparateSteps),
    play("vanishing gradient: G descends log(1 - D(G(z))), 5 steps of D to one of G, no dropout", SeparateSteps,
         discriminator_steps=5, generator_loss=Saturating(), include_prob=1),
    play("collapse: halfway D stops learning, and G goes on", HalfwayStale),
    play("D overfits: 200 training digits, no dropout, half the learning rate", SeparateSteps, include_prob=1,
         learning_rate=.05, data=Dataset(train.X[:200], name="200 digits")),
]

# %%
# What to see
# -----------
# Healthy: D wins at first, then both curves move towards 1/2.  Vanishing: D(G(z)) at 0, and the gradient with it.
# Collapse: all samples are what the stale D took for data.  D overfits: it knows its training digits by heart and
# doubts fresh ones, so D(x) falls on validation digits, while no sample fools it; the gradient is strong all the same.

figure = Figure(figsize=(11, 9), layout="constrained")
for row, (name, history, samples) in zip(figure.subfigures(len(games), 1), games):
    row.suptitle(name, fontsize=11)
    pictures, outputs, gradients = row.subplots(1, 3)
    pictures.imshow(viewer.grid(2 * samples.reshape(-1, 8, 8) - 1, 2, 4), interpolation="nearest")
    pictures.set_axis_off()
    passes = [epoch * chosen.max_epochs / history["epoch"][-1] for epoch in history["epoch"]]   # of the full set's rows
    viewer.curves(outputs, passes, {"D(x)": history["valid_d_on_data"], "D(G(z))": history["valid_d_on_samples"]},
                  "mean output of D")
    outputs.set_ylim(0, 1)
    viewer.curves(gradients, passes, {"mean over minibatches": history["valid_sample_grad_norm"]}, "norm of dC/dG(z)")
    gradients.set_yscale("log")
    gradients.set_ylim(1e-5, 10)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
