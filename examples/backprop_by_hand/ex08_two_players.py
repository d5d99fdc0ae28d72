"""
Exercise 8: the two players                                                                           (10 minutes)

D wants to tell data x from samples G(z), G wants D to fail (eq. 1).  For m rows of each, in nats,

    (1)  V = (1/m) sum_i log D(x[i]) + (1/m) sum_i log(1 - D(G(z[i])))

With the logits a = a_data on x and a = a_samples on G(z), exercise 4 has both terms ready, without a log of a
probability: log D = -sp(-a) and log(1 - D) = -sp(a).  At D = 1/2 everywhere, V = -2 log 2 = -1.3863.

D climbs V.  As our steps go down, D descends C_D = -V.  Each sum has its own 1/m, for m rows, not 2m:

    (2)  dC_D/da_data[i]    = (1/m) d sp(-a)/da,  at a = a_data[i]

    (3)  dC_D/da_samples[i] = (1/m) d sp(a)/da,   at a = a_samples[i]

G could descend V, in which it has the term log(1 - D).  But early on D is sure that samples are samples, a is far
below 0, and the slope of that term is almost 0.  So (Section 3) G climbs log D(G(z)) instead, it descends
C_G = -(1/m) sum_i log D(G(z[i])):

    (4)  dC_G/da_samples[i] = (1/m) d sp(-a)/da,  at a = a_samples[i]

Your step: the slopes of sp are in (3) of exercise 4.  You may import what you wrote: from ex04_cross_entropy import ...
"""
import numpy as np


def value(a_data, a_samples):
    """
    V, a number in nats, from the logits a_data (m, 1) and a_samples (m, 1).

    >>> round(float(value(np.array([[0.]]), np.array([[0.]]))), 4)
    -1.3863
    """
    raise NotImplementedError


def discriminator_grad(a_data, a_samples):
    """
    dC_D/da_data (m, 1) and dC_D/da_samples (m, 1), from the logits a_data (m, 1) and a_samples (m, 1).

    >>> discriminator_grad(np.array([[0.]]), np.array([[0.]]))
    (array([[-0.5]]), array([[0.5]]))
    """
    raise NotImplementedError


def generator_grad(a_samples):
    """
    dC_G/da_samples (m, 1), from the logits a_samples (m, 1).

    >>> generator_grad(np.array([[-np.log(3)]]))                                        # D = 1/4: G has far to go
    array([[-0.75]])
    """
    raise NotImplementedError
