"""
============================
Figure 2a: samples for MNIST
============================

Fair random samples of a generator, none chosen by hand; in yellow, at the end of each row, the training digit nearest
to the sample on its left, which shows whether the generator has learned digits by heart.

Reads a checkpoint, as ``mnist.py`` writes it, or the generator that comes with npgan, and MNIST; writes
``figure2_mnist.png``.
"""
from common import CHECKPOINT, options, plain_generator

from npgan import viewer
from npgan.backend import RandomStream
from npgan.datasets import mnist

chosen = options(__doc__, save_path="figure2_mnist.png", checkpoint=CHECKPOINT)
print(f"seed {chosen.seed}")

# %%
# 4 x 6 pictures
# --------------
# Five samples and a training digit in each row; distances are Euclidean, between pixels.

saved, G = plain_generator(chosen.checkpoint, RandomStream(chosen.seed))
train = mnist.load("train")
if G.mlp.dim != train.X.shape[1]:
    raise ValueError(f"{saved.path} makes rows of {G.mlp.dim} numbers, but MNIST has rows of {train.X.shape[1]}; name "
                     "another checkpoint")
viewer.save(chosen.save_path, viewer.nearest_sheet(G.sample(20), train.X, train.shape))
print(f"wrote {chosen.save_path}")
