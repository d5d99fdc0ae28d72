"""Exercise 4, solved."""
import numpy as np
from ex03_sigmoid import sigmoid_fprop


def cross_entropy(a, y):
    return np.mean(y * np.logaddexp(0, -a) + (1 - y) * np.logaddexp(0, a))


def cross_entropy_grad(a, y):
    return (sigmoid_fprop(a) - y) / len(a)
