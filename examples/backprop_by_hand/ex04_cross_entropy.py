"""
Exercise 4: cross-entropy on the logit                                                                (10 minutes)

D says with which probability a row is data, not a sample.  Its last unit gives the logit a, and D = sigmoid(a).  The
cost of that opinion for a label y, 1 for data and 0 for samples, is -log of the probability given to the truth.  With
the softplus sp(a) = log(1 + e^a), -log D = sp(-a) and -log(1 - D) = sp(a), so for m rows, in nats,

    (1)  C = (1/m) sum_i ( y[i] sp(-a[i]) + (1 - y[i]) sp(a[i]) )

Never take the log of a rounded probability: D rounds to 1 at a = 40, and log(1 - D) is then -inf, yet sp(40) = 40.
For the same reason e^a must not overflow:

    (2)  sp(a) = max(a, 0) + log(1 + e^-|a|)                      (which is np.logaddexp(0, a))

Now the slope.  By a the softplus has the derivative e^a/(1 + e^a), an old friend, and with a minus inside,

    (3)  sp'(a) = sigmoid(a)        d sp(-a)/da = -sigmoid(-a) = sigmoid(a) - 1

so that, after some tidying of y (sigmoid(a) - 1) + (1 - y) sigmoid(a),

    (4)  dC/da[i] = (1/m) ( y[i] d sp(-a[i])/da + (1 - y[i]) sp'(a[i]) )

Your step: (1) by way of (2), and (4) tidied up, which is one short line.  Your sigmoid of exercise 3 may be imported:
from ex03_sigmoid import sigmoid_fprop.
"""
import numpy as np


def cross_entropy(a, y):
    """
    C, a number in nats, from the logits a (m, 1) and the labels y (m, 1).

    >>> round(float(cross_entropy(np.array([[0.], [np.log(3)]]), np.array([[1.], [0.]]))), 4)   # (log 2 + log 4)/2
    1.0397
    """
    raise NotImplementedError


def cross_entropy_grad(a, y):
    """
    da = dC/da (m, 1), from the logits a (m, 1) and the labels y (m, 1).

    >>> cross_entropy_grad(np.array([[0.], [np.log(3)]]), np.array([[1.], [0.]])).round(4)      # -1/2 / 2, 3/4 / 2
    array([[-0.25 ],
           [ 0.375]])
    """
    raise NotImplementedError
