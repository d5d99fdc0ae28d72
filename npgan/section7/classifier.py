"""
Classifiers, to judge conditional samples and to measure what a trained net's features are worth for classification
(Section 7, extension 4).

A classifier is an MLP whose last layer, `Linear`, has a unit for each class.  With its outputs a,

    p(class k | x) = e^(a_k) / sum_l e^(a_l)
"""
import copy

import numpy as np
from scipy.optimize import minimize

from npgan import backend
from npgan.backend import RandomStream, check_stream, xp
from npgan.checks import check_positive_ints
from npgan.costs import check_target
from npgan.datasets import Dataset
from npgan.layers import Linear
from npgan.mlp import MLP
from npgan.train import check_finite


def log_softmax(a):
    """Return log p(k | x) of the outputs `a` (m, classes): a_k - max - log sum e^(a_l - max), which cannot overflow."""
    a = a - a.max(axis=1, keepdims=True)
    return a - xp.log(xp.exp(a).sum(axis=1, keepdims=True))


def softmax_cross_entropy(a, y):
    """
    Return the mean over the rows of -log p(class | x), in nats.

    Parameters
    ----------
    a : array (m, classes)
        Outputs of a classifier.
    y : array (m, classes)
        Each row's class, by `npgan.section7.conditional.one_hot`.

    Returns
    -------
    0-d array
    """
    check_classes(a, y)
    return -(y * log_softmax(a)).sum() / len(a)


def softmax_cross_entropy_grad(a, y):
    """Return dC/da of `softmax_cross_entropy`, (p(k | x) - y_k)/m because each `y` sums to 1: an array like `a`."""
    check_classes(a, y)
    return (xp.exp(log_softmax(a)) - y) / len(a)


def check_classes(a, y):
    """Raise ValueError unless the outputs `a` have rows and the classes `y` the same shape: others would broadcast."""
    check_target(a, 0)                                          # that there are rows; a y may be boolean
    if getattr(y, "shape", None) != a.shape:
        got = f"shape {y.shape}" if hasattr(y, "shape") else f"{y!r:.40}"
        raise ValueError(f"y must be an array of shape {a.shape}, got {got}; npgan.section7.conditional.one_hot "
                         "makes it from labels")


def blocks_of_rows(x):
    """Yield the rows `x` (n, d) by thousands, to save memory: a layer's outputs for a large set may not fit."""
    for start in range(0, max(1, len(x)), 1000):                # an empty x too: the net raises the error
        yield x[start:start + 1000]


def predict(net, x):
    """Return the most probable class of each row of `x` (n, d) by the classifier `net`, a numpy int array (n,)."""
    return np.concatenate([backend.to_numpy(net.fprop(part).argmax(axis=1)) for part in blocks_of_rows(x)])


def error(net, dataset):
    """Return the part of a labelled `dataset` that the classifier `net` gets wrong, in [0, 1]."""
    if dataset.y is None:
        raise ValueError(f"an error needs labels, but {dataset.name} has no y; build it by Dataset(X, y)")
    return float(np.mean(predict(net, dataset.X) != dataset.y))


def train_classifier(net, X, y, rule, batch_size, num_epochs, rng, on_epoch=None):
    """
    Train a classifier by minibatches.

    Parameters
    ----------
    net : MLP
    X, y : array (n, d) and array (n, classes)
        Rows and their classes, by `npgan.section7.conditional.one_hot`.
    rule : LearningRule
    batch_size, num_epochs : int
    rng : RandomStream
        Draws the order of the rows.
    on_epoch : function of the number of epochs done, optional
        Called after each epoch.

    Raises
    ------
    TrainingDiverged
        If a parameter is NaN or infinite after an epoch.
    """
    check_positive_ints(batch_size=batch_size, num_epochs=num_epochs)
    check_stream(rng)
    if X.ndim != 2 or X.shape[1] != net.nvis:
        raise ValueError(f"X must have rows of {net.nvis} numbers, the net's inputs, got shape {X.shape}")
    rows = rows_and_classes(X, y, net.dim)
    for epoch in range(1, num_epochs + 1):
        for both in rows.minibatches(min(batch_size, len(X)), rng):
            x, target = xp.ascontiguousarray(both[:, :net.nvis]), both[:, net.nvis:]
            rule.descend(net, softmax_cross_entropy_grad(net.dropout_fprop(x), target))
        check_finite("the classifier", net, f"after epoch {epoch}; a smaller learning rate is the usual cure")
        if on_epoch:
            on_epoch(epoch)


def rows_and_classes(X, y, num_classes=None):
    """Return a `Dataset` of [x | y] from rows `X` and classes `y`, which must have `num_classes` columns if given."""
    got = getattr(y, "shape", f"a {type(y).__name__}; npgan.section7.conditional.one_hot makes an array of classes")
    if len(got) != 2 or got != (len(X), num_classes or got[1]):
        wanted = f"a row of {num_classes} numbers" if num_classes else "a row"
        raise ValueError(f"y must have {wanted} for each of the {len(X)} rows of X, got {got}")
    return Dataset(xp.concatenate([X, y], axis=1), name="rows and classes")


def fit_softmax(X, y, penalty):
    """
    Return the linear classifier of least mean cross-entropy + penalty ||W||^2 / 2, a convex cost, by SciPy's L-BFGS.

    Parameters
    ----------
    X, y : array (n, d) and array (n, classes)
        As in `train_classifier`.
    penalty : float, > 0

    Returns
    -------
    MLP
    """
    if not penalty > 0:
        raise ValueError(f"penalty must be > 0, got {penalty}")
    rows_and_classes(X, y)
    net = MLP([Linear(X.shape[1], y.shape[1], irange=0., rng=RandomStream(0))])
    W, dW = net.layers[0].W, net.layers[0].dW

    def cost_and_grad(theta):
        net.theta[...] = backend.asarray(theta)
        a = net.fprop(X)
        net.bprop(softmax_cross_entropy_grad(a, y), inputs=False)
        dW[...] += penalty * W
        cost = softmax_cross_entropy(a, y) + penalty * xp.square(W).sum() / 2
        return float(cost), backend.to_numpy(net.grad).astype(float)

    best = minimize(cost_and_grad, np.zeros(net.theta.size), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    if not (best.success or best.nit):
        raise ValueError(f"L-BFGS found no step that lowers the cost ({best.message}); X has numbers of magnitudes up "
                         f"to {float(xp.abs(X).max()):g}: rescale them to about 1")
    net.theta[...] = backend.asarray(best.x)
    return net


def features(net, x):
    """Return the outputs of all hidden layers of `net` for the rows `x` (n, d), side by side: an array (n, units)."""
    rows = []
    for part in blocks_of_rows(x):
        *hidden, _ = (h for _, h in net.activations(part))
        rows.append(xp.concatenate(hidden, axis=1))
    return xp.concatenate(rows)


def recapitate(net, head):
    """
    Return a net of copies of the layers of `net`, with their parameters, and `head` in place of the last layer.

    It turns D into a classifier that starts from D's features.  The copies draw dropout's masks from copied streams.
    """
    return MLP([*copy.deepcopy(net.layers[:-1]), head])
