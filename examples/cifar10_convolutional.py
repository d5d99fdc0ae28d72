"""
===========================================
Adversarial nets on CIFAR-10, convolutional
===========================================

Trains the convolutional discriminator and the "deconvolutional" generator of Goodfellow et al. (2014), Section 5, on
photographs, with the numbers of the authors' ``cifar10_convolutional.yaml``, or with those of ``--settings processor``:
an eighth of the channels and units, and first weights and learning rates that make progress within an hour (an epoch of
1,250 updates takes 88 seconds of two cores of an AMD EPYC; at ``--scale 1`` each of the authors' 313 updates takes 1.5
seconds).

Reads ``cifar10`` (found through NPGAN_DATA_PATH, or downloaded). Writes after each epoch the checkpoint
``cifar10_convolutional.npz`` and ``cifar10_convolutional.png``, samples beside their nearest training pictures as in
Figure 2d.
"""
from section5 import start_at_mean_zero, train_players, training_options, units

from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream
from npgan.conv import Deconv, MaxoutConv
from npgan.datasets import cifar10
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP
from npgan.transpose import Transpose

SETTINGS = {"authors": {"scale": 1., "learning_rate_G": .004, "learning_rate_D": .004, "batch_size": 128,
                        "irange_h1": .05, "irange_y": .05, "irange_D": .005},
            "processor": {"scale": .125, "learning_rate_G": .05, "learning_rate_D": .002, "batch_size": 32,
                          "irange_h1": .2, "irange_y": .2, "irange_D": .03}}
chosen = training_options(__doc__, save_path="cifar10_convolutional.npz", max_epochs=200, settings=SETTINGS)
train, valid = cifar10.load("train"), cifar10.load("valid")
print(f"seed {chosen.seed}, scale {chosen.scale:g}")

# %%
# The generator
# -------------
# At scale 1 it has 64,825,072 parameters.  Its 8,000 sigmoids are 80 channels of 10x10 positions.  Each adds a colour
# kernel of 5x5 pixels, three pixels from the next one, which makes pictures 3 * 9 + 5 = 32 pixels wide.  Data come as
# planes of red, green and blue; kernels act on pixels of three colours.

weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))
h, channels, wider = units(8000, chosen.scale), units(80, chosen.scale), chosen.scale ** -.5

kernels = Deconv(input_shape=(10, 10, channels), num_channels=3, kernel_shape=(5, 5), output_stride=(3, 3),
                 irange=chosen.irange_y * wider, rng=weights_G)
if chosen.settings == "processor":
    start_at_mean_zero(kernels)
G = Generator(MLP([RectifiedLinear(nvis=100, dim=h, irange=.05, rng=weights_G),
                   Sigmoid(nvis=h, dim=kernels.nvis, irange=chosen.irange_h1 * wider, rng=weights_G),
                   kernels, Transpose(shape=kernels.output_shape, axes=(2, 0, 1))]), noise="gaussian", rng=noise)

# %%
# The discriminator
# -----------------
# 12,454,073 parameters.  Three times a convolution, a maximum over two pieces and one over overlapping windows, from
# pictures 32 pixels wide to 16, 7 and 5; then a dense maxout layer.
#
# With the authors' numbers, nets an eighth as wide make no progress in an hour: five layers of weights within .005 pass
# on almost nothing, and D(x) is still .500 after an epoch.  With weights within .05 and one learning rate for both, D
# wins: at .008 D(x) was .98 after two epochs and all samples were one pattern of kernels; at .02 the second epoch ended
# in NaN.  ``--settings processor`` gives D one twenty-fifth of G's learning rate, smaller minibatches and so more
# updates, and wider first weights of G around a mean of zero, so that samples differ from the start.

irange = chosen.irange_D
h0 = MaxoutConv(input_shape=(32, 32, 3), num_channels=units(32, chosen.scale), num_pieces=2, kernel_shape=(8, 8), pad=4,
                pool_shape=(4, 4), pool_stride=(2, 2), tied_b=True, irange=irange, rng=weights_D)
h1 = MaxoutConv(input_shape=h0.output_shape, num_channels=units(32, chosen.scale), num_pieces=2, kernel_shape=(8, 8),
                pad=3, pool_shape=(4, 4), pool_stride=(2, 2), tied_b=True, irange=irange * wider, rng=weights_D)
h2 = MaxoutConv(input_shape=h1.output_shape, num_channels=units(192, chosen.scale), num_pieces=2, kernel_shape=(5, 5),
                pad=3, pool_shape=(2, 2), pool_stride=(2, 2), tied_b=True, irange=irange * wider, rng=weights_D)
h3 = Maxout(nvis=h2.dim, num_units=units(500, chosen.scale), num_pieces=5, irange=irange * wider, rng=weights_D)
D = MLP([Transpose(shape=(3, 32, 32), axes=(1, 2, 0)),
         Dropout(include_prob=.8, rng=masks), h0, Dropout(include_prob=.5, rng=masks), h1,
         Dropout(include_prob=.5, rng=masks), h2, Dropout(include_prob=.5, rng=masks), h3,
         Dropout(include_prob=.5, rng=masks), Linear(nvis=h3.dim, dim=1, irange=irange * wider, rng=weights_D)])

# %%
# The game, and its pictures
# --------------------------
# In yellow the training picture nearest to the sample on its left, by the distance between normalised pictures.

train_players(AdversaryPair(G, D), train, valid, order, chosen)
