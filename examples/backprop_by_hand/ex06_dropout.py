"""
Exercise 6: dropout                                                                                    (5 minutes)

While D trains, each unit of each row is kept with probability p = include_prob, else set to 0, by a mask drawn anew for
every minibatch.  What is kept is enlarged:

    (1)  h[i,v] = s[i,v] mask[i,v] / p

The mean of mask[i,v] is p, so with the 1/p the mean of h is s.  That is why D may later be used without any mask.

Once drawn, the mask is a constant, and h is a number times s:

    (2)  dh[i,v]/ds[i,v] = mask[i,v] / p

    (3)  dC/ds[i,v] = dC/dh[i,v] dh[i,v]/ds[i,v]

The backward pass needs the very mask that the forward pass used, which is why it is an argument of both.

Your step: (1), and (3) with (2) in it.
"""
import numpy as np


def dropout_fprop(s, mask, include_prob):
    """
    h (m, nvis), from s (m, nvis), the mask (m, nvis) of True and False, and p = include_prob in (0, 1].

    >>> dropout_fprop(np.array([[4., 8.]]), np.array([[True, False]]), .5)
    array([[8., 0.]])
    """
    raise NotImplementedError


def dropout_bprop(dh, mask, include_prob):
    """
    ds (m, nvis), from dh = dC/dh (m, nvis), the same mask and the same include_prob.

    >>> dropout_bprop(np.array([[10., 20.]]), np.array([[True, False]]), .5)
    array([[20.,  0.]])
    """
    raise NotImplementedError
