"""
=============================
The weights of a trained pair
=============================

Weights that touch pictures are pictures, as in Pylearn2's viewer: of the last layer of G, what each hidden unit paints;
of the first layer of D, what each piece of its maxout units looks for, the pieces of a unit side by side.  Grey is 0,
and each picture is scaled by its largest magnitude.

Reads a checkpoint, as ``mnist.py`` writes it, or the generator that comes with npgan; writes ``show_weights_G.png``,
and ``show_weights_D.png`` if the file holds D.
"""
import math
import os

from common import CHECKPOINT, options, plain_generator

from npgan import viewer
from npgan.backend import xp

chosen = options(__doc__, save_path="show_weights.png", checkpoint=CHECKPOINT)
saved, G = plain_generator(chosen.checkpoint)


def draw(name, weights, cols=None):
    """Write one picture for each row of `weights`, `cols` in a row."""
    side = math.isqrt(weights.shape[1])
    if side * side != weights.shape[1]:
        raise ValueError(f"{saved.path}: rows of {weights.shape[1]} numbers are no square pictures; name another "
                         "checkpoint")
    rows, cols = (-(-len(weights) // cols), cols) if cols else viewer.square_ish(len(weights))
    stem, ending = os.path.splitext(chosen.save_path)
    picture = f"{stem}_{name}{ending}"
    viewer.save(picture, viewer.grid(weights.reshape(-1, side, side), rows, cols, rescale=True))
    print(f"wrote {picture}")


def weights_of(layer, where):
    """Return the matrix W of `layer`; raise ValueError, which names the place `where`, if it has none."""
    if getattr(layer, "W", xp.zeros(0)).ndim != 2:
        raise ValueError(f"{saved.path}: expected a matrix of weights in {where}, found a {type(layer).__name__}; name "
                         "another checkpoint")
    return layer.W


# %%
# The last layer of G
# -------------------
# Ordered by norm, the largest first.

W = weights_of(G.mlp.layers[-1], "the last layer of G")
draw("G", W[xp.argsort(-xp.sum(xp.square(W), axis=1))])

# %%
# The first layer of D
# --------------------
# In the net's order, eight units in a row.

if "discriminator" in saved.header["run"]:
    lowest = next(layer for layer in saved.discriminator().layers if layer.params)
    W, pieces = weights_of(lowest, "the first layer of D"), getattr(lowest, "num_pieces", 1)
    draw("D", W.T.reshape(pieces, -1, lowest.nvis).swapaxes(0, 1).reshape(-1, lowest.nvis), 8 * pieces)
