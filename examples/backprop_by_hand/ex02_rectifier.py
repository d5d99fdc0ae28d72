"""
Exercise 2: the rectifier                                                                              (5 minutes)

G's hidden units (Section 5) let through what is positive.  Each entry by itself:

    (1)  h[i,j] = max(0, z[i,j])

Where z[i,j] > 0, h is z, so dh/dz = 1.  Where z[i,j] < 0, h is 0 whatever z does, so dh/dz = 0.  At z[i,j] = 0 there
is a corner, and any slope from 0 to 1 will do; we take 0.  Call the slope the mask:

    (2)  mask[i,j] = 1 where z[i,j] > 0, else 0

z[i,j] touches h[i,j] and nothing else, so the chain rule has a single term:

    (3)  dC/dz[i,j] = dC/dh[i,j] dh[i,j]/dz[i,j]

Your step: put (2) into (3).
"""
import numpy as np


def rectifier_fprop(z):
    """
    h (m, dim), from z (m, dim).

    >>> rectifier_fprop(np.array([[-3., 0., 2.]]))
    array([[0., 0., 2.]])
    """
    raise NotImplementedError


def rectifier_bprop(dh, z):
    """
    dz (m, dim), from dh = dC/dh (m, dim) and z (m, dim).

    >>> rectifier_bprop(np.array([[10., 20., 30.]]), np.array([[-3., .5, 2.]]))
    array([[ 0., 20., 30.]])
    """
    raise NotImplementedError
