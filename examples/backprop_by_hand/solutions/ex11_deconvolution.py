"""Exercise 11, solved."""
import numpy as np


def window(h, r, q, s, t):
    """The places of h that pixel r, q of the kernels reaches: a view (m, I, J, channels)."""
    _, I, J, _ = s.shape
    return h[:, r:r + t * (I - 1) + 1:t, q:q + t * (J - 1) + 1:t]


def deconvolution_fprop(s, W, stride):
    (m, I, J, _), (K, Q, channels, _) = s.shape, W.shape
    h = np.zeros((m, stride * (I - 1) + K, stride * (J - 1) + Q, channels), s.dtype)
    for r in range(K):
        for q in range(Q):
            there = window(h, r, q, s, stride)
            there += s @ W[r, q].T
    return h


def deconvolution_bprop(dh, s, W, stride):
    ds, dW = np.zeros_like(s), np.zeros_like(W)
    for r in range(W.shape[0]):
        for q in range(W.shape[1]):
            there = window(dh, r, q, s, stride)
            ds += there @ W[r, q]
            dW[r, q] = np.einsum("eijc,eijn->cn", there, s)
    return ds, dW
