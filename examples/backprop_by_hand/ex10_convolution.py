"""
Exercise 10: convolution                                                                              (10 minutes)

A kernel of K x Q pixels slides over a picture of Y x X pixels.  With e for the m examples, i, j for the places of the
kernel, r, q for the pixels in it, c for the channels below and n for the kernels,

    (1)  z[e,i,j,n] = sum_{r,q,c} s[e,i+r,j+q,c] W[r,q,c,n],      i = 0 ... Y-K,  j = 0 ... X-Q

Hold r, q fixed.  Then s[e,i+r,j+q,:] for all i, j is a window of s, as large as z, and (1) is exercise 1 on it:

    (2)  window(r,q) = s[:, r:r+I, q:q+J],  with I = Y-K+1, J = X-Q+1;      z = sum over r,q of window(r,q) W[r,q]

So the gradients are those of exercise 1 as well.  W[r,q,c,n] touches z[e,i,j,n] in each example at each place:

    (3)  dC/dW[r,q,c,n] = sum_{e,i,j} s[e,i+r,j+q,c] dC/dz[e,i,j,n]

The windows overlap, and an s is in up to K Q of them; what it gets from each is added up:

    (4)  to window(r,q) of dC/ds add sum_n dC/dz[e,i,j,n] W[r,q,c,n],  for each r, q

Your step: two loops, over r and over q, with a line or two in them.  np.matmul, or @, works on the last two axes of
arrays of any number of axes; np.einsum("eijc,eijn->cn", ...) sums over e, i and j.
"""
import numpy as np


def convolution_fprop(s, W):
    """
    z (m, I, J, n), from pictures s (m, Y, X, channels) and kernels W (K, Q, channels, n).

    >>> convolution_fprop(np.array([1., 2., 3.]).reshape(1, 1, 3, 1), np.array([10., 1.]).reshape(1, 2, 1, 1)).ravel()
    array([12., 23.])
    """
    raise NotImplementedError


def convolution_bprop(dz, s, W):
    """
    ds (m, Y, X, channels) and dW (K, Q, channels, n), from dz = dC/dz (m, I, J, n), s and W.

    >>> dz, s, W = np.array([1., 2.]), np.array([1., 2., 3.]), np.array([10., 1.])
    >>> ds, dW = convolution_bprop(dz.reshape(1, 1, 2, 1), s.reshape(1, 1, 3, 1), W.reshape(1, 2, 1, 1))
    >>> ds.ravel(), dW.ravel()                                                          # 10*1, 1*1 + 10*2, 1*2
    (array([10., 21.,  2.]), array([5., 8.]))
    """
    raise NotImplementedError
