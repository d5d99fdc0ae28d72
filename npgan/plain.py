"""
The paper's formulas as loops or single lines, to read beside the paper; the tests compare the fast code with them.

Everything here is slow and uses nothing but NumPy.  Pictures are arrays (row, column, channel), one at a time.
"""
from itertools import product

import numpy as np


def gradient(f, theta, h=1e-5):
    """
    Return df/dtheta, each derivative by its definition: (f(theta + h e_i) - f(theta - h e_i)) / (2 h).

    Parameters
    ----------
    f : function of theta, a number
    theta : float64 array of any shape
    h : float
        The step.  The error of each derivative is of the order of h^2.

    Returns
    -------
    array like theta
    """
    slope = np.empty(theta.shape)
    for i in np.ndindex(theta.shape):
        e_i = np.zeros(theta.shape)
        e_i[i] = 1
        slope[i] = (f(theta + h * e_i) - f(theta - h * e_i)) / (2 * h)
    return slope


def value(D, G, x, z):
    """Return V(D, G) of eq. 1 in nats, the sample means over the rows of x and z standing for the expectations."""
    return np.mean(np.log(D(x))) + np.mean(np.log(1 - D(G(z))))


def gradient_D(D, G, theta_d, theta_g, x, z):
    """
    Return the gradient that the discriminator ascends in Algorithm 1.

        grad_theta_d (1/m) sum_i [log D(x_i) + log(1 - D(G(z_i)))]

    Parameters
    ----------
    D : function of (rows, theta_d), the probabilities D(x)
    G : function of (rows of noise, theta_g), the samples G(z)
    theta_d, theta_g : array
    x, z : array (m, d) and (m, nz)

    Returns
    -------
    array like theta_d
    """
    return gradient(lambda theta: value(lambda rows: D(rows, theta), lambda noise: G(noise, theta_g), x, z), theta_d)


def gradient_G(D, G, theta_d, theta_g, z):
    """
    Return the gradient that the generator descends in Algorithm 1, that of the second term of eq. 1 alone.

        grad_theta_g (1/m) sum_i log(1 - D(G(z_i)))

    D, G, theta_d, theta_g and z are those of `gradient_D`; the result is an array like theta_g.
    """
    return gradient(lambda theta: np.mean(np.log(1 - D(G(z, theta), theta_d))), theta_g)


def momentum(theta, v, g, epsilon, mu):
    """
    Return theta and v after one step of momentum down the gradient g (the rule that Algorithm 1's caption names).

        v <- mu v - epsilon g,  theta <- theta + v
    """
    v = mu * v - epsilon * g
    return theta + v, v


def maxout(x, W, b):
    """
    Return the maxout units h_i(x) = max_j z_ij with z_ij = x^T W_..ij + b_ij (Goodfellow et al., 2013, "Maxout").

    Parameters
    ----------
    x : array (d,)
    W, b : array (d, m, k) and (m, k)
        For m units of k pieces.

    Returns
    -------
    array (m,)
    """
    d, m, k = W.shape
    z = [[sum(x[v] * W[v, i, j] for v in range(d)) + b[i, j] for j in range(k)] for i in range(m)]
    return np.array([max(pieces) for pieces in z])


def cross_correlation(s, W, stride, pad):
    """
    Return the cross-correlation of a picture s with kernels W (Section 5's convolutional nets).

        z[i,j,n] = sum_{r,q,c} s[t i + r - P, u j + q - P, c] W[r,q,c,n]

    The kernels are not flipped.  Outside the picture s is 0.  The last patches may hang over the margins.

    Parameters
    ----------
    s : array (rows, columns, channels)
    W : array (kernel rows, kernel columns, channels, kernels)
    stride : (int, int)
        t and u, from one patch to the next.
    pad : int
        P, the width of the margins.

    Returns
    -------
    array (I, J, kernels), with I = ceil((rows + 2 P - kernel rows) / t) + 1 and J likewise
    """
    (rows, columns, channels), (K, Q, _, kernels), (t, u), P = s.shape, W.shape, stride, pad
    I, J = -(-(rows + 2 * P - K) // t) + 1, -(-(columns + 2 * P - Q) // u) + 1
    z = np.zeros((I, J, kernels))
    for i, j, n, r, q, c in product(*map(range, (I, J, kernels, K, Q, channels))):
        y, x = t * i + r - P, u * j + q - P
        if 0 <= y < rows and 0 <= x < columns:
            z[i, j, n] += s[y, x, c] * W[r, q, c, n]
    return z


def deconvolution(s, W, stride, pad):
    """
    Return the "deconvolution" of s with kernels W, the transpose of `cross_correlation` (Figure 2d's generator).

    Each number s[i,j,n] lays down its kernel, scaled by that number, at row t i and column u j; kernels that overlap
    add up.  The output then loses P rows and columns on each side:

        h[t i + r - P, u j + q - P, c] += s[i,j,n] W[r,q,c,n]

    Parameters
    ----------
    s : array (I, J, kernels)
    W : array (kernel rows, kernel columns, channels, kernels)
    stride : (int, int)
        t and u, from one kernel to the next.
    pad : int
        P.

    Returns
    -------
    array (t (I - 1) + kernel rows - 2 P, u (J - 1) + kernel columns - 2 P, channels)
    """
    (I, J, kernels), (K, Q, channels, _), (t, u), P = s.shape, W.shape, stride, pad
    rows, columns = t * (I - 1) + K - 2 * P, u * (J - 1) + Q - 2 * P
    h = np.zeros((rows, columns, channels))
    for i, j, n, r, q, c in product(*map(range, (I, J, kernels, K, Q, channels))):
        y, x = t * i + r - P, u * j + q - P
        if 0 <= y < rows and 0 <= x < columns:
            h[y, x, c] += s[i, j, n] * W[r, q, c, n]
    return h


def max_pooling(z, window, stride):
    """
    Return the maximum of each channel of z (rows, columns, channels) over windows, as in Pylearn2.

    Window I, J has the `window` (rows, columns) from row t I and column u J on, with `stride` (t, u).  The last window
    along an axis is the first that reaches the picture's edge; it may hang over and counts only what exists.
    """
    (rows, columns, channels), (height, width), (t, u) = z.shape, window, stride
    I, J = -(-(rows - height) // t) + 1, -(-(columns - width) // u) + 1
    h = np.empty((I, J, channels))
    for i, j, c in np.ndindex(h.shape):
        h[i, j, c] = z[t * i:t * i + height, u * j:u * j + width, c].max()
    return h


def parzen_window(x, mu, sigma):
    """
    Return log p(x) in nats, with a Gaussian of width sigma on each of N samples mu_j (Section 5, Table 1).

        log p(x) = log[ (1/N) sum_j exp(-||x - mu_j||^2 / (2 sigma^2)) ] - d log(sigma sqrt(2 pi))

    Parameters
    ----------
    x, mu : array (d,) and (N, d)
    sigma : float
    """
    window = [np.exp(-np.sum((x - mu_j) ** 2) / (2 * sigma ** 2)) for mu_j in mu]
    return np.log(np.mean(window)) - len(x) * np.log(sigma * np.sqrt(2 * np.pi))


def parzen_recurrence(R, n, c):
    """
    Return the log of the mean of n + 1 exponentials, given R, that of the first n, and c, the last exponent.

        R <- o + log(n e^(R - o) + e^(c - o)) - log(n + 1),  with o = max(R, c), against underflow (the authors' code)
    """
    o = max(R, c)
    return o + np.log(n * np.exp(R - o) + np.exp(c - o)) - np.log(n + 1)
