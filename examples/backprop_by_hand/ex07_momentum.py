"""
Exercise 7: momentum                                                                                   (5 minutes)

Gradients are known now; what do we do with them?  "We used momentum in our experiments" (Algorithm 1).  Plain descent
steps down the gradient, theta <- theta - epsilon dC/dtheta, with the learning rate epsilon.  Momentum keeps a velocity
v, of theta's shape, which remembers a part mu of what it was:

    (1)  v_new = mu v - epsilon dC/dtheta

    (2)  theta_new = theta + v_new

If the gradient stays the same, v grows to -epsilon dC/dtheta (1 + mu + mu^2 + ...), 1/(1 - mu) plain steps; if it
changes its sign at each step, most of it cancels.  With mu = 0 this is plain descent.  dtheta is short for dC/dtheta.

Your step: (1) and (2).  Make new arrays, and leave theta and v as they are.
"""
import numpy as np


def momentum(theta, v, dtheta, learning_rate, mu):
    """
    theta_new and v_new, of theta's shape, from theta, v and dtheta, of one shape, and the numbers learning_rate and mu.

    >>> momentum(np.array([1.]), np.array([.5]), np.array([2.]), learning_rate=.1, mu=.6)       # v: .6 * .5 - .1 * 2
    (array([1.1]), array([0.1]))
    """
    raise NotImplementedError
