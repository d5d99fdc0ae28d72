"""
=======================
The conditional model
=======================

Section 7 of Goodfellow et al. (2014), extension 1: p(x | c), "by adding c as input to both G and D".  Here c is a
digit's class, and G learns to draw a digit of that class.

Reads MNIST if it is found, otherwise the digits that come with npgan. Writes ``conditional.png``, one class a row, and
the checkpoint ``conditional.npz``.
"""
from section7 import CLASSES, judge, load, section7_options, streams, train_pair

import numpy as np

from npgan import backend, parzen, viewer
from npgan.adversarial import AdversaryPair
from npgan.backend import xp
from npgan.datasets import Dataset
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP
from npgan.section7.classifier import predict
from npgan.section7.conditional import (
    ConditionalDropout,
    ConditionalGenerator,
    ConditionalMaxout,
    ConditionalRectifiedLinear,
    one_hot,
)

chosen = section7_options(__doc__, "conditional.png")
numbers = chosen.numbers
train, valid, test = load(chosen)
d = train.X.shape[1]

# %%
# The two players
# ---------------
# As without c, except for ten more inputs to the first layer of each player: the class as nine zeros and a one, which
# dropout does not change.

weights_G, weights_D, noise, masks, order = streams(chosen)
G = ConditionalGenerator(
    MLP([ConditionalRectifiedLinear(nvis=numbers.nz + CLASSES, dim=numbers.hidden, irange=.05, rng=weights_G,
                                    ncond=CLASSES),
         RectifiedLinear(nvis=numbers.hidden, dim=numbers.hidden, irange=.05, rng=weights_G),
         Sigmoid(nvis=numbers.hidden, dim=d, irange=.05, rng=weights_G, init_bias=marginal_bias(train.X))]),
    ncond=CLASSES, noise="uniform", rng=noise)
D = MLP([ConditionalDropout(include_prob=.8, rng=masks, ncond=CLASSES),
         ConditionalMaxout(nvis=d + CLASSES, num_units=numbers.units, num_pieces=5, irange=numbers.irange_D,
                           rng=weights_D, ncond=CLASSES),
         Dropout(include_prob=numbers.include_prob, rng=masks),
         Maxout(nvis=numbers.units, num_units=numbers.units, num_pieces=5, irange=numbers.irange_D, rng=weights_D),
         Dropout(include_prob=numbers.include_prob, rng=masks),
         Linear(nvis=numbers.units, dim=1, irange=numbers.irange_D, rng=weights_D)])

# %%
# The game
# --------
# Data rows are [x | c].  The samples of a minibatch get the classes of its data rows.  Classes are then equally
# frequent among samples and data, so D can distinguish them only by x, and by whether x fits c.


def rows(data):
    """Return the rows [x | c] of labelled digits."""
    return Dataset(xp.concatenate([data.X, one_hot(data.y, CLASSES)], axis=1), name=f"{data.name} with classes")


average = train_pair(AdversaryPair(G, D), rows(train), rows(valid), chosen, order)

# %%
# Do samples have the right class?
# --------------------------------
# A classifier trained with this library on the real digits predicts the class of each sample.

asked = np.arange(10 * 1000) % CLASSES
with average.applied():
    samples = G.sample(one_hot(asked, CLASSES))
    shown = G.sample(one_hot(np.arange(CLASSES).repeat(10), CLASSES))
seen = predict(judge(train, test, chosen), samples)
print(f"of {len(asked):,} samples {np.mean(seen == asked):.1%} are of the class that was asked for")

# %%
# How likely are test digits of a class under samples of it?
# -----------------------------------------------------------
# 1,000 samples of each class, beside up to 1,000 of its training digits; sigma is chosen for each on validation digits
# of the class.

print("\nclass  agreement  Parzen log-likelihood in nats      the same by training digits")
for k in range(CLASSES):
    of_class = [data.X[xp.asarray(np.flatnonzero(data.y == k)[:1000])] for data in (test, valid, train)]
    ours = parzen.evaluate(of_class[0], of_class[1], samples[xp.asarray(np.flatnonzero(asked == k))])
    real = parzen.evaluate(*of_class)
    print(f"{k:5}  {np.mean(seen[asked == k] == k):9.1%}  {ours.mean:8.1f} +- {ours.standard_error:.1f} (sigma "
          f"{ours.sigma:.2f})         {real.mean:8.1f} +- {real.standard_error:.1f} (sigma {real.sigma:.2f})")

# %%
# The picture
# -----------
# Random samples, not selected; one class a row.

patches = 2 * backend.to_numpy(shown).reshape(-1, *train.shape) - 1
viewer.save(chosen.save_path, viewer.grid(patches, CLASSES, 10))
print(f"\nwrote {chosen.save_path} and {chosen.stem}.npz")
