"""
===========================================
Adversarial nets on real handwritten digits
===========================================

Trains a generator of rectifiers and sigmoids against a discriminator of maxout units with dropout, as in Section 5 of
Goodfellow et al. (2014), on 1,197 handwritten digits of 8x8 pixels that come with npgan, and evaluates the samples by
the Parzen window estimate of Table 1.

Reads the embedded digits; writes ``digits.png`` and, during the training, the checkpoint ``digits.npz`` for
``--resume``.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import RESUME, options, resume
from progress import Progress

from npgan import checkpoint, parzen, viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps
from npgan.backend import RandomStream
from npgan.datasets import digits
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import Monitor
from npgan.sanity import sanity_samples
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.train import Train

chosen = options(__doc__, max_epochs=2200, save_path="digits.png", resume={
    "action": "store_true", "help": RESUME.format("beside --save_path", "including --max_epochs")})
print(f"seed {chosen.seed}")

# %%
# The two players
# ---------------
# Smaller nets than for MNIST, of the same kinds of layers.  Each random choice has its own stream of the one seed.

train, valid, test = (digits.load(which) for which in ("train", "valid", "test"))
weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))

G = Generator(MLP([RectifiedLinear(nvis=50, dim=200, irange=.05, rng=weights_G),
                   RectifiedLinear(nvis=200, dim=200, irange=.05, rng=weights_G),
                   Sigmoid(nvis=200, dim=64, irange=.05, rng=weights_G, init_bias=marginal_bias(train.X))]),
              noise="uniform", rng=noise)
D = MLP([Dropout(include_prob=.8, rng=masks), Maxout(nvis=64, num_units=60, num_pieces=5, irange=.05, rng=weights_D),
         Dropout(include_prob=.8, rng=masks), Maxout(nvis=60, num_units=60, num_pieces=5, irange=.05, rng=weights_D),
         Dropout(include_prob=.8, rng=masks), Linear(nvis=60, dim=1, irange=.05, rng=weights_D)])
pair = AdversaryPair(G, D)

# %%
# The game
# --------
# Algorithm 1 with k = 1: a step of D on each minibatch of digits and samples, then one of G on fresh samples.  The
# players do not converge but circle around a good solution, so samples come from an average of G over some 5,000 steps.

rule_G, rule_D = Momentum(learning_rate=.1, init_momentum=.5), Momentum(learning_rate=.1, init_momentum=.5)
average = PolyakAverage(G, decay=.9998)
every = max(1, chosen.max_epochs // 100)
monitor = Monitor({"valid": valid}, seed=chosen.seed, every=every)
saving = checkpoint.Saving(os.path.splitext(chosen.save_path)[0] + ".npz", every)
progress = Progress(chosen.max_epochs, monitor, {"D(x)": "valid_d_on_data", "D(G(z))": "valid_d_on_samples"})
extensions = [average, monitor,
              ExponentialDecay([rule_G, rule_D], decay_factor=1.000004, min_lr=1e-6),
              MomentumAdjustor([rule_G, rule_D], final_momentum=.7, start=1, saturate=chosen.max_epochs),
              saving, progress]
game = Train(SeparateSteps(pair, rule_G, rule_D), train, batch_size=100, rng=order, extensions=extensions)
if chosen.resume:
    resume(saving.path, game, chosen)
game.main_loop(chosen.max_epochs)

# %%
# How likely are unseen digits?
# -----------------------------
# A Gaussian around each of 1,000 samples gives a density; its width is chosen on validation digits.  For comparison,
# the same estimate with other centres: a generator does well if its samples are as good as real training digits.

num_samples = 1000
with average.applied():
    samples = G.sample(num_samples)
    shown = G.sample(20)
print(f"\nParzen log-likelihood of the {len(test)} test digits, in nats, by {num_samples} centres:")
rows = [("adversarial nets", samples), *sanity_samples(train.X, num_samples, RandomStream([chosen.seed, 5]))]
for name, centres in rows:
    result = parzen.evaluate(test.X, valid.X, centres)
    print(f"  {name:<28}{result.mean:8.1f} +- {result.standard_error:.1f}   (sigma {result.sigma:.2f})")

# %%
# The picture
# -----------
# Random samples, not selected; in yellow the training digit nearest to the sample on its left.

sheet = viewer.nearest_sheet(shown, train.X, train.shape)
history = monitor.history
viewer.save(chosen.save_path, viewer.training_figure(
    sheet, history["epoch"],
    {"D(x)": history["valid_d_on_data"], "D(G(z))": history["valid_d_on_samples"]},
    {"of D": history["valid_objective_d"], "of G": history["valid_objective_g"]}))
print(f"\nwrote {chosen.save_path}")
