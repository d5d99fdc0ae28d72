"""
=============================================
Adversarial nets on CIFAR-10, fully connected
=============================================

Trains the dense nets of Goodfellow et al. (2014), Section 5, on photographs, with the numbers of the authors'
``cifar10_fully_connected.yaml``, or with those of ``--settings processor``: layers an eighth as wide, and first weights
and learning rates that make progress within an hour (an epoch of 400 updates takes 45 seconds of one core of an AMD
EPYC).

Reads ``cifar10`` (found through NPGAN_DATA_PATH, or downloaded). Writes after each epoch the checkpoint
``cifar10_fully_connected.npz`` and ``cifar10_fully_connected.png``, samples beside their nearest training pictures as
in Figure 2c.
"""
from section5 import start_at_mean_zero, train_players, training_options, units

from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream
from npgan.datasets import cifar10
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP

SETTINGS = {"authors": {"scale": 1., "learning_rate_G": .025, "learning_rate_D": .025, "batch_size": 100,
                        "irange_h1": .05, "irange_y": .5, "irange_D": .005},
            "processor": {"scale": .125, "learning_rate_G": .05, "learning_rate_D": .02, "batch_size": 100,
                          "irange_h1": .2, "irange_y": .003, "irange_D": .002}}
chosen = training_options(__doc__, save_path="cifar10_fully_connected.npz", max_epochs=200, settings=SETTINGS)
train, valid = cifar10.load("train"), cifar10.load("valid")
print(f"seed {chosen.seed}, scale {chosen.scale:g}")

# %%
# The two players
# ---------------
# At scale 1 G has 89,395,072 parameters and D 37,393,601.  G ends in linear units, since a picture of normalised
# contrast has mean 0 and norm 55, so its values are about 1 in size, of both signs.
#
# With the authors' numbers, nets an eighth as wide start with samples whose norm is 13 times that of the data, and D
# distinguishes them after 50 updates (D(G(z)) = .001).  Samples that start as white noise with mean zero mostly stayed
# white noise for 1,200 to 1,800 updates, with ``irange_y`` of .03 and .1 and two pairs of learning rates.  With
# ``--settings processor`` pixels start near 0 and D's weights small, so that D's learned weights soon outweigh its
# first ones; the samples become one smooth blob, and after about 1,000 updates several.

weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))
h, u, wider = units(8000, chosen.scale), units(1600, chosen.scale), chosen.scale ** -.5

pixels = Linear(nvis=h, dim=3072, irange=chosen.irange_y * wider, rng=weights_G)
if chosen.settings == "processor":
    start_at_mean_zero(pixels)
G = Generator(MLP([RectifiedLinear(nvis=100, dim=h, irange=.05, rng=weights_G),
                   Sigmoid(nvis=h, dim=h, irange=chosen.irange_h1 * wider, rng=weights_G), pixels]),
              noise="gaussian", rng=noise)
D = MLP([Dropout(include_prob=.8, rng=masks),
         Maxout(nvis=3072, num_units=u, num_pieces=5, irange=chosen.irange_D, rng=weights_D),
         Dropout(include_prob=.5, rng=masks),
         Maxout(nvis=u, num_units=u, num_pieces=5, irange=chosen.irange_D * wider, rng=weights_D),
         Dropout(include_prob=.5, rng=masks), Linear(nvis=u, dim=1, irange=chosen.irange_D * wider, rng=weights_D)])

# %%
# The game, and its pictures
# --------------------------
# In yellow the training picture nearest to the sample on its left, by the distance between normalised pictures.
# Samples are divided by the largest magnitude over all of them, and a training picture that exceeds it by its own.

train_players(AdversaryPair(G, D), train, valid, order, chosen)
