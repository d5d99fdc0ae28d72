"""
Exercise 1: the affine map                                                                            (15 minutes)

Every row of the minibatch goes through z = s W + b.  With i for the m rows, v for the nvis units below and j for the
dim units of this layer,

    (1)  z[i,j] = sum_v s[i,v] W[v,j] + b[j]

The cost C sees s, W and b only through z.  The chain rule says: to find dC/d(something), go through every z[i,j] that
it touches, and add up dC/dz[i,j] times dz[i,j]/d(something).

    s[i,v] touches z[i,j] for every unit j, with the factor W[v,j]:

    (2)  dC/ds[i,v] = sum_j dC/dz[i,j] W[v,j]

    W[v,j] touches z[i,j] in every row i, with the factor s[i,v]:

    (3)  dC/dW[v,j] = sum_i s[i,v] dC/dz[i,j]

    b[j] touches z[i,j] in every row i, with the factor 1:

    (4)  dC/db[j] = sum_i dC/dz[i,j]

Your step: write (1) to (4) with whole arrays.  A sum over an index that two arrays share is a product of matrices, if
need be of a transposed one; the shapes leave only one way.  dz is short for dC/dz, and has the shape of z.
"""
import numpy as np


def affine_fprop(s, W, b):
    """
    z (m, dim), from s (m, nvis), W (nvis, dim) and b (dim,).

    >>> affine_fprop(np.array([[1., 2.]]), np.array([[3.], [4.]]), np.array([5.]))      # 1*3 + 2*4 + 5
    array([[16.]])
    """
    raise NotImplementedError


def affine_bprop(dz, s, W):
    """
    ds (m, nvis), dW (nvis, dim) and db (dim,), from dz (m, dim), s (m, nvis) and W (nvis, dim).

    >>> affine_bprop(np.array([[10.]]), np.array([[1., 2.]]), np.array([[3.], [4.]]))
    (array([[30., 40.]]), array([[10.],
           [20.]]), array([10.]))
    """
    raise NotImplementedError
