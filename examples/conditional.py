"""
=======================
The conditional model
=======================

Section 7 of Goodfellow et al. (2014), extension 1: p(x | c), "by adding c as input to both G and D".  Here c is a
digit's class, and G learns to write the digit that it is asked for.

Reads MNIST where it is found, otherwise the digits that come with npgan, and writes ``conditional.png``, one class a
row; ``conditional.npz`` beside it is a checkpoint.
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
# As without c, but for ten more inputs to the first layer of each, the class as a row of zeros and a one.  Dropout
# leaves them alone.

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
# Data rows are [x | c].  Each sample is made for the c of the data row that it stands beside, so that classes are as
# frequent among samples as among data, and D can tell the two apart by x and by whether x fits c, not by c.


def rows(data):
    """[x | c] of labelled digits."""
    return Dataset(xp.concatenate([data.X, one_hot(data.y, CLASSES)], axis=1), name=f"{data.name} with classes")


average = train_pair(AdversaryPair(G, D), rows(train), rows(valid), chosen, order)

# %%
# Is it the digit that was asked for?
# -----------------------------------
# A classifier, trained by this library on the real digits, says so.

asked = np.arange(10 * 1000) % CLASSES
with average.applied():
    samples = G.sample(one_hot(asked, CLASSES))
    shown = G.sample(one_hot(np.arange(CLASSES).repeat(10), CLASSES))
seen = predict(judge(train, test, chosen), samples)
print(f"of {len(asked):,} samples {np.mean(seen == asked):.1%} are of the class that was asked for")

# %%
# How likely are test digits of a class under samples of it?
# -----------------------------------------------------------
# 1,000 samples of each class against as many of its training digits as there are, up to 1,000; sigma chosen for each on
# validation digits of the class.

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
# Fair draws, a class a row.

patches = 2 * backend.to_numpy(shown).reshape(-1, *train.shape) - 1
viewer.save(chosen.save_path, viewer.grid(patches, CLASSES, 10))
print(f"\nwrote {chosen.save_path} and {chosen.stem}.npz")
