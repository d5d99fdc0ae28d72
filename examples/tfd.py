"""
=============================================
Adversarial nets on the Toronto Face Database
=============================================

Trains G of Goodfellow et al. (2014), Section 5, in the two stages of the authors' ``tfd_pretrain/pretrain.yaml`` and
``tfd_pretrain/train.yaml``, and evaluates it on the five folds as in Table 1. With ``--scale .125`` the layers are an
eighth as wide, for an ordinary processor (an epoch of 981 updates takes 81 seconds of one core of an AMD EPYC).

Reads ``faces/TFD`` (found through NPGAN_DATA_PATH). Writes after each epoch of the first stage the checkpoint
``tfd_pretrained.npz`` and ``tfd_pretrained.png``, and of the second stage ``tfd.npz`` and ``tfd.png``, samples beside
their nearest training faces as in Figure 2b. Prints the log-likelihood, and how near samples are to training faces.
"""
import os

from common import positive_int
from section5 import announce, train_players, training_options, units

import numpy as np

from npgan import checkpoint, neighbours, parzen
from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream, to_numpy, xp
from npgan.datasets import Dataset, tfd
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP

UNLABELED = 98058                                           # pictures of TFD that belong to no other part of any fold

chosen = training_options(
    __doc__, save_path="tfd.npz", max_epochs=22,
    settings={"authors": {"scale": 1., "learning_rate_G": .05, "learning_rate_D": .05, "batch_size": 100}},
    pretrain_epochs={"type": positive_int, "default": 50, "help": "of the first stage, default %(default)s"},
    repeat={"type": positive_int, "metavar": "TIMES",
            "help": f"how often an epoch uses each training face, default about {UNLABELED:,} / their number"},
    num_samples={"type": positive_int, "default": 10000, "help": "for the log-likelihood, default %(default)s"})
print(f"seed {chosen.seed}, scale {chosen.scale:g}")

# %%
# The faces
# ---------
# The training set is the faces that are unlabeled in all folds.  If there are fewer than TFD's 98,058, an epoch uses
# them several times, each time in a new order, so that an epoch has as many updates as the authors', 981.


class Repeated(Dataset):
    """A data set whose epochs use each row `times` times; the rows are in memory only once."""

    def __init__(self, dataset, times):
        super().__init__(dataset.X, None, dataset.shape, f"tfd unlabeled, {times} times", dataset.caveat)
        self.times = times

    def __len__(self):
        return self.times * len(self.X)

    def order(self, rng):
        """Return the order of an epoch's rows, drawn from `rng`."""
        return xp.asarray(np.concatenate([rng.permutation(len(self.X)) for _ in range(self.times)]))


faces = tfd.load("unlabeled")
train = Repeated(faces, chosen.repeat or max(1, round(UNLABELED / len(faces))))
folds = [(tfd.load("valid", fold), tfd.load("test", fold)) for fold in range(5)]
valid = folds[0][0]

# %%
# The first stage
# ---------------
# At scale 1 G has 83,250,304 parameters and D 21,037,201; the second stage starts with a new D.  G's last biases start
# at the mean face, and each pixel starts with 100 nonzero weights.  The norm of a unit's weights is at most 1.9365.

h, u, wider = units(8000, chosen.scale), units(1200, chosen.scale), chosen.scale ** -.5
limit = {"max_col_norm": 1.9365}


def discriminator(weights, masks):
    """Return D, a net of maxout units, with the random streams of its `weights` and of its dropout `masks`."""
    return MLP([Dropout(include_prob=.8, rng=masks),
                Maxout(nvis=2304, num_units=u, num_pieces=5, irange=.005, rng=weights, **limit),
                Dropout(include_prob=.5, rng=masks),
                Maxout(nvis=u, num_units=u, num_pieces=5, irange=.005 * wider, rng=weights, **limit),
                Dropout(include_prob=.5, rng=masks),
                Linear(nvis=u, dim=1, irange=.005 * wider, rng=weights, **limit)])


darkest, brightest = faces.X.min(), faces.X.max()           # 0 and 1 in TFD; other faces may use less of the range
bias = marginal_bias((faces.X - darkest) / (brightest - darkest))
weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))
G = Generator(MLP([RectifiedLinear(nvis=100, dim=h, irange=.05, rng=weights_G, **limit),
                   Sigmoid(nvis=h, dim=h, irange=.05 * wider, rng=weights_G, init_bias=-2., **limit),
                   Sigmoid(nvis=h, dim=2304, sparse_init=min(100, h), rng=weights_G, init_bias=bias, **limit)]),
              noise="gaussian", rng=noise)

pretrained = os.path.splitext(chosen.save_path)[0] + "_pretrained.npz"


class Anew:
    """An extension of `Train` that renames an earlier run's second-stage checkpoint when a first stage begins."""

    def on_monitor(self, game):
        """Rename it before the first update."""
        if not game.updates:
            checkpoint.set_aside(chosen.save_path)


in_second = chosen.resume and os.path.exists(chosen.save_path)
if not in_second:
    train_players(AdversaryPair(G, discriminator(weights_D, masks)), train, valid, order, chosen,
         save_path=pretrained, max_epochs=chosen.pretrain_epochs, more=[Anew()])

# %%
# The second stage
# ----------------
# G gets two new layers below the first three, whose noise becomes the output of 100 sigmoids.  All five are trained,
# and G has 84,858,404 parameters.

weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(10, 15))
G = Generator(MLP([RectifiedLinear(nvis=100, dim=h, irange=.05, rng=weights_G, **limit),
                   Sigmoid(nvis=h, dim=100, irange=.05 * wider, rng=weights_G, init_bias=-2., **limit),
                   *G.mlp.layers]), noise="gaussian", rng=noise)
panel = train_players(AdversaryPair(G, discriminator(weights_D, masks)), train, valid, order, chosen,
             resume=in_second, earlier=pretrained)

# %%
# Are the samples copies?
# -----------------------
# In the panel the yellow face is the one nearest to the sample on its left.  A generator trained on few faces may have
# memorised them: its samples would then be nearer to a face than the faces are to each other.

samples = panel.samples()
away = to_numpy(xp.sqrt(xp.sum((samples - faces.X[neighbours.nearest(samples, faces.X)]) ** 2, axis=1)))
some = to_numpy(faces.X[:1000]).astype("float64")
squares = np.sum(some ** 2, axis=1)
between = np.sqrt(np.maximum(squares[:, None] + squares - 2 * some @ some.T, 0))
typical = np.median(between[~np.eye(len(between), dtype=bool)])
np.fill_diagonal(between, np.inf)
announce(f"from the panel's samples to their nearest training faces it is {away.min():.1f} to {away.max():.1f}; "
         f"from face to face {typical:.1f}, to the nearest other {np.median(between.min(axis=1)):.1f}, medians over "
         f"{len(between):,} faces", faces)
for row in away.reshape(4, 5):
    print("".join(f"{distance:7.1f}" for distance in row))

# %%
# Table 1
# -------
# One model serves all folds because its training faces are the same; sigma is chosen on each fold's validation faces.

samples = panel.samples(chosen.num_samples)
results = [parzen.evaluate(test.X, valid.X, samples) for valid, test in folds]
announce(f"log-likelihood of the test faces of each fold, from {chosen.num_samples:,} samples", faces)
for fold, result in enumerate(results):
    print(f"fold {fold}{result.mean:10.1f} +- {result.standard_error:.1f} nats   (sigma {result.sigma:.3f})")
mean, standard_error = parzen.over_folds(results)
announce(f"mean over folds: {mean:.0f} +- {standard_error:.0f} nats"
         + (", which is no result on TFD and has no place in Table 1" if faces.caveat else ""), faces)
