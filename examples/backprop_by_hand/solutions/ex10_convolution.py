"""Exercise 10, solved."""
import numpy as np


def convolution_fprop(s, W):
    K, Q, _, _ = W.shape
    I, J = s.shape[1] - K + 1, s.shape[2] - Q + 1
    return sum(s[:, r:r + I, q:q + J] @ W[r, q] for r in range(K) for q in range(Q))


def convolution_bprop(dz, s, W):
    ds, dW = np.zeros_like(s), np.zeros_like(W)
    _, I, J, _ = dz.shape
    for r in range(W.shape[0]):
        for q in range(W.shape[1]):
            dW[r, q] = np.einsum("eijc,eijn->cn", s[:, r:r + I, q:q + J], dz)
            ds[:, r:r + I, q:q + J] += dz @ W[r, q].T
    return ds, dW
