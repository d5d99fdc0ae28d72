"""
Exercise 5: maxout                                                                                    (15 minutes)

D's hidden units (Section 5) have several affine pieces each and show the largest.  z comes from exercise 1 with
num_pieces U columns for U units: first piece 0 of all the units, then piece 1 of all, and so on, so that

    (1)  piece p of unit u is column p U + u of z:  z.reshape(m, num_pieces, U)[i,p,u]

    (2)  h[i,u] = max_p z[i, p U + u]

Move a piece that is not the largest a little: h does not move.  Move the largest, the winner: h moves as much.  So

    (3)  dh[i,u]/dz[i, p U + u] = 1 if piece p is the winner of unit u in row i, else 0

and as each z touches only one h,

    (4)  dC/dz[i, p U + u] = dC/dh[i,u] dh[i,u]/dz[i, p U + u]

If pieces tie, one of them is the winner, not both: the earliest, say.  (np.argmax finds the earliest; the winners are
then np.arange(num_pieces)[:, None] == argmax[:, None].)

Your step: (2), and (4) with (3) in it, laid out as (1) says.
"""
import numpy as np


def maxout_fprop(z, num_pieces):
    """
    h (m, U), from z (m, num_pieces U).

    >>> maxout_fprop(np.array([[1., 8., 7., 2.]]), 2)              # unit 0 has the pieces 1 and 7, unit 1 has 8 and 2
    array([[7., 8.]])
    """
    raise NotImplementedError


def maxout_bprop(dh, z, num_pieces):
    """
    dz (m, num_pieces U), from dh = dC/dh (m, U) and z (m, num_pieces U).

    >>> maxout_bprop(np.array([[10., 20.]]), np.array([[1., 8., 7., 2.]]), 2)
    array([[ 0., 20., 10.,  0.]])
    """
    raise NotImplementedError
