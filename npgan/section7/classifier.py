"""
Classifiers: what judges conditional samples, and what tells how much of the digits a trained net's features know
(Section 7, extension 4).

A classifier is an MLP whose last layer, `Linear`, has a unit for each class; with a its outputs,

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
    """log p(k | x) of the outputs `a` (m, classes), = a_k - max - log sum e^(a_l - max), which cannot overflow."""
    a = a - a.max(axis=1, keepdims=True)
    return a - xp.log(xp.exp(a).sum(axis=1, keepdims=True))


def softmax_cross_entropy(a, y):
    """
    Mean over the rows of -log p(class | x), in nats.

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
    """dC/da of `softmax_cross_entropy`, (p(k | x) - y_k)/m as each y sums to 1 (derived here): an array like `a`."""
    check_classes(a, y)
    return (xp.exp(log_softmax(a)) - y) / len(a)


def check_classes(a, y):
    """Refuse no rows at all, and classes `y` that are no array like the outputs `a`: they would broadcast."""
    check_target(a, 0)                                          # only whether there are rows; a y may be boolean
    if getattr(y, "shape", None) != a.shape:
        got = f"shape {y.shape}" if hasattr(y, "shape") else f"{y!r:.40}"
        raise ValueError(f"y must be classes, as npgan.section7.conditional.one_hot makes, of shape {a.shape}, "
                         f"got {got}")


def thousands(x):
    """The rows `x` (n, d) by thousands, so that the outputs of a large set's layers need not all be in memory."""
    return (x[start:start + 1000] for start in range(0, max(1, len(x)), 1000))     # a net refuses what has no rows


def predict(net, x):
    """The likeliest class of each row of `x` (n, d), by the classifier `net`: a numpy int array (n,)."""
    return np.concatenate([backend.to_numpy(net.fprop(part).argmax(axis=1)) for part in thousands(x)])


def error(net, dataset):
    """The part of a labelled `dataset` that the classifier `net` gets wrong, in [0, 1]."""
    if dataset.y is None:
        raise ValueError(f"an error is counted on labelled rows, but {dataset.name} has no y; give it: Dataset(X, y)")
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
        Called after each.

    Raises
    ------
    TrainingDiverged
        If after an epoch a parameter is NaN or infinite.
    """
    check_positive_ints(batch_size=batch_size, num_epochs=num_epochs)
    check_stream(rng)
    if X.ndim != 2 or X.shape[1] != net.nvis:
        raise ValueError(f"X must be rows of {net.nvis} numbers, as the net takes them, got shape {X.shape}")
    rows = rows_and_classes(X, y, net.dim)
    for epoch in range(1, num_epochs + 1):
        for both in rows.minibatches(min(batch_size, len(X)), rng):
            x, target = xp.ascontiguousarray(both[:, :net.nvis]), both[:, net.nvis:]
            rule.descend(net, softmax_cross_entropy_grad(net.dropout_fprop(x), target))
        check_finite("the classifier", net, f"after epoch {epoch}; a smaller learning rate is the usual cure")
        if on_epoch:
            on_epoch(epoch)


def rows_and_classes(X, y, num_classes=None):
    """The rows `X` and their classes `y`, of which there may have to be `num_classes`, side by side: a `Dataset`."""
    got = getattr(y, "shape", f"a {type(y).__name__}; npgan.section7.conditional.one_hot makes an array of classes")
    if len(got) != 2 or got != (len(X), num_classes or got[1]):
        wanted = f"a row of {num_classes} numbers" if num_classes else "a row"
        raise ValueError(f"y must have {wanted} for each of the {len(X)} rows of X, got {got}")
    return Dataset(xp.concatenate([X, y], axis=1), name="rows and classes")


def fit_softmax(X, y, penalty):
    """
    A linear classifier, the minimum of mean cross-entropy + penalty ||W||^2 / 2, which is convex, by SciPy's L-BFGS.

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
    """The outputs of all hidden layers of `net` for the rows `x` (n, d), side by side: an array (n, units)."""
    return xp.concatenate([xp.concatenate([h for _, h in list(net.activations(part))[:-1]], axis=1)
                           for part in thousands(x)])


def recapitate(net, head):
    """
    A net with the layers of `net`, copied with their parameters, but for the last, in whose place is `head`.

    So D becomes a classifier that starts from what D knows.  The copies draw dropout's masks from streams of their own.
    """
    return MLP([*copy.deepcopy(net.layers[:-1]), head])
