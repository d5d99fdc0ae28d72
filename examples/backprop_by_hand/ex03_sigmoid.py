"""
Exercise 3: the sigmoid                                                                                (5 minutes)

G's output units make pixels, numbers between 0 (paper) and 1 (ink):

    (1)  h = 1 / (1 + exp(-z))

Its slope, by the rule for 1/u with u = 1 + exp(-z) and du/dz = -exp(-z):

    (2)  dh/dz = exp(-z) / (1 + exp(-z))^2

As 1/(1 + exp(-z)) is h, and exp(-z)/(1 + exp(-z)) is what is missing from h to 1, this needs no z at all:

    (3)  dh/dz = h (1 - h)

It is 1/4 at h = 1/2 and goes to 0 at both ends: a unit that is sure of itself hardly learns.  The chain rule:

    (4)  dC/dz[i,j] = dC/dh[i,j] dh[i,j]/dz[i,j]

Your step: put (3) into (4).
"""
import numpy as np


def sigmoid_fprop(z):
    """
    h (m, dim), in [0, 1], from z (m, dim).

    >>> sigmoid_fprop(np.array([[0., np.log(3)]])).round(4)                             # 1/(1 + 1), 1/(1 + 1/3)
    array([[0.5 , 0.75]])
    """
    raise NotImplementedError


def sigmoid_bprop(dh, h):
    """
    dz (m, dim), from dh = dC/dh (m, dim) and h (m, dim), the output of the forward pass.

    >>> sigmoid_bprop(np.array([[8., 16.]]), np.array([[.5, .75]]))                     # 8 * 1/4, 16 * 3/16
    array([[2., 3.]])
    """
    raise NotImplementedError
