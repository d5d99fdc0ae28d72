"""
Exercise 12: the Parzen window                                                                        (10 minutes)

G gives samples, not probabilities.  To say how likely a test digit x is (Section 5, Table 1), a Gaussian of width sigma
is set on each of N samples mu_j, in d dimensions, and the N densities are averaged:

    (1)  p(x) = (1/N) sum_j (sigma sqrt(2 pi))^-d exp(-||x - mu_j||^2 / (2 sigma^2))

The log of it, in nats, with c_j for the exponents:

    (2)  c_j = -||x - mu_j||^2 / (2 sigma^2)

    (3)  log p(x) = log( sum_j exp(c_j) ) - log N - d log(sigma sqrt(2 pi))

For digits c_j is far below 0, exp(c_j) is 0 in the computer, and log 0 is -inf.  So take the largest c_j out first:

    (4)  log( sum_j exp(c_j) ) = o + log( sum_j exp(c_j - o) ),     o = max_j c_j

in which one of the exponentials is exp(0) = 1.  This is no gradient, but the number by which G is judged.

Your step: (2), (4), (3), for all rows of x at once; x[:, None] - samples is (n, N, d).
"""
import numpy as np


def log_likelihood(x, samples, sigma):
    """
    log p of each row of x, (n,), in nats, from x (n, d), samples (N, d) and the number sigma.

    >>> log_likelihood(np.array([[0.]]), np.array([[0.], [0.]]), sigma=1.).round(4)     # -log sqrt(2 pi)
    array([-0.9189])
    """
    raise NotImplementedError
