"""Exercise 2, solved."""
import numpy as np


def rectifier_fprop(z):
    return np.maximum(z, 0)


def rectifier_bprop(dh, z):
    return dh * (z > 0)
