"""
Exercise 11: deconvolution                                                                            (10 minutes)

To make pictures, G turns exercise 10 around: each number below lays its kernel down, scaled, t = stride pixels from its
neighbour's, and where kernels overlap they add up.  In the forward pass, for a state s of I x J places,

    (1)  h[e, t i + r, t j + q, c]  gets added  sum_n s[e,i,j,n] W[r,q,c,n],  for each i, j, r, q

and h has t (I-1) + K rows and t (J-1) + Q columns.  Hold r, q fixed.  All i, j reach a window of h with strides:

    (2)  window(r,q) = h[:, r : r + t (I-1) + 1 : t, q : q + t (J-1) + 1 : t],     as many places as s

So (1) adds s W[r,q]^T to window(r,q).  Backward, s[e,i,j,n] touches h in every window, there in every channel:

    (3)  dC/ds[e,i,j,n] = sum_{r,q,c} dC/dh[e, t i + r, t j + q, c] W[r,q,c,n]

which is a convolution of dC/dh.  W[r,q,c,n] touches one window, in each example, at each place:

    (4)  dC/dW[r,q,c,n] = sum_{e,i,j} dC/dh[e, t i + r, t j + q, c] s[e,i,j,n]

Your step: again two loops, over r and over q.  Compare with exercise 10: what was forward there is backward here.
"""
import numpy as np


def deconvolution_fprop(s, W, stride):
    """
    h (m, t (I-1) + K, t (J-1) + Q, channels), from s (m, I, J, n), kernels W (K, Q, channels, n) and t = stride.

    >>> s, W = np.array([1., 2.]).reshape(1, 1, 2, 1), np.array([10., 1., 5.]).reshape(1, 3, 1, 1)
    >>> deconvolution_fprop(s, W, stride=2).ravel()                                             # 10, 1, 5 + 20, 2, 10
    array([10.,  1., 25.,  2., 10.])
    """
    raise NotImplementedError


def deconvolution_bprop(dh, s, W, stride):
    """
    ds (m, I, J, n) and dW (K, Q, channels, n), from dh = dC/dh (of h's shape), s, W and t = stride.

    >>> dh, s, W = np.array([1., 0., 2., 0., 3.]), np.array([1., 2.]), np.array([10., 1., 5.])
    >>> ds, dW = deconvolution_bprop(dh.reshape(1, 1, 5, 1), s.reshape(1, 1, 2, 1), W.reshape(1, 3, 1, 1), stride=2)
    >>> ds.ravel(), dW.ravel()                                              # 10*1 + 5*2, 10*2 + 5*3; 1*1 + 2*2, ...
    (array([20., 35.]), array([5., 0., 8.]))
    """
    raise NotImplementedError
