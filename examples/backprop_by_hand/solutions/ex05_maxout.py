"""Exercise 5, solved."""
import numpy as np


def maxout_fprop(z, num_pieces):
    return z.reshape(len(z), num_pieces, -1).max(axis=1)


def maxout_bprop(dh, z, num_pieces):
    winner = z.reshape(len(z), num_pieces, -1).argmax(axis=1)                       # (m, U)
    wins = np.arange(num_pieces)[:, None] == winner[:, None]                        # (m, num_pieces, U)
    return (dh[:, None] * wins).reshape(z.shape)
