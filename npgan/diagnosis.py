"""
Numbers that show whether a trained game is healthy, each with its meaning and its healthy range.

    print(diagnose(checkpoint.load("mnist.npz").pair(), mnist.load("train"), mnist.load("valid")))
"""
from textwrap import fill
from typing import NamedTuple

import numpy as np

from npgan.adversarial import AdversaryPair
from npgan.backend import aside, to_numpy, xp
from npgan.checks import check_positive_ints
from npgan.costs import NonSaturating
from npgan.layers import RectifiedLinear
from npgan.neighbours import nearest

MEANINGS = {
    "mean D(x), D(G(z))":
        "The probability that D gives to fresh data and to samples of being data.  Healthy: D(x) is somewhat larger, "
        "late on MNIST about .45 and .27.  At 1 and 0, D is too strong for G; at D(G(z)) near 1, G is too strong for "
        "D; equal means alone do not show which is the case.",
    "gradient norms of G":
        "The size of the gradient that reaches each layer of G through D.  Healthy: .1 to 1.  If it is hundreds of "
        "times smaller, G hardly changes.",
    "rectifiers never on":
        "Units of G that are 0 for every z, so that no gradient moves them.  Healthy: few; late on MNIST 12% of h1.  "
        "Near 100%, z no longer passes the layer, and all samples are alike.",
    "nearest labels":
        "How many samples are nearest to a training row of each class.  Healthy: about as many as of the data.  A "
        "class with almost no samples is lost.",
    "distinct nearest rows":
        "How many different training rows are the nearest to some sample.  Healthy: nearly the number for the data.  "
        "If there are few, G has collapsed to a few samples (the Helvetica scenario, Section 6).",
}


class Diagnosis(NamedTuple):
    """
    The numbers found by `diagnose`; ``str`` of it is a report with their meanings.

    Attributes
    ----------
    num_samples : int
        The number of samples, and of fresh rows.
    d_on_data, d_on_samples : float, in [0, 1]
        The means of D(x) over fresh rows and of D(G(z)), without dropout; None without D.
    grad_norms : dict of float
        For each layer of G the L2 norm of dC/d(parameters), in nats per unit, where C is G's loss through D with
        dropout; None without D.
    dead : dict of float, in [0, 1]
        For each layer of rectifiers in G the fraction of its units that are 0 for all samples.
    classes, classes_of_data : tuple of int
        How many samples, and fresh rows, are nearest to a training row of each label; None without labels.
    distinct, distinct_of_data : int
        How many training rows are the nearest one to some sample, and to some fresh row.
    """

    num_samples: int
    d_on_data: float
    d_on_samples: float
    grad_norms: dict
    dead: dict
    classes: tuple
    classes_of_data: tuple
    distinct: int
    distinct_of_data: int

    def __str__(self):
        values = {}
        if self.grad_norms is not None:
            values["mean D(x), D(G(z))"] = f"{self.d_on_data:.3f}, {self.d_on_samples:.3f}"
            values["gradient norms of G"] = ", ".join(f"{name} {norm:.2g}" for name, norm in self.grad_norms.items())
        if self.dead:
            values["rectifiers never on"] = ", ".join(f"{name} {part:.1%}" for name, part in self.dead.items())
        if self.classes is not None:
            samples, data = (" ".join(f"{n:>4}" for n in counts) for counts in (self.classes, self.classes_of_data))
            values["nearest labels"] = f"{samples}   of samples\n{'':25}{data}   of data"
        values["distinct nearest rows"] = f"{self.distinct} of samples, {self.distinct_of_data} of data"
        entries = [f"{self.num_samples} samples, and as many rows of data that were not used for training"]
        for name, value in values.items():
            meaning = fill(MEANINGS[name], 100, initial_indent="    ", subsequent_indent="    ")
            entries.append(f"{name:<25}{value}\n{meaning}")
        return "\n\n".join(entries)


def diagnose(players, train, fresh, num_samples=1000, seed=2014, generator_loss=NonSaturating()):
    """
    Return the numbers of a `Diagnosis`.

    Noise and masks come from random streams of its own, so that a training in between is bit-identical with it and
    without.

    Parameters
    ----------
    players : AdversaryPair or Generator
        Both players, or G alone.  G's `grad` is overwritten.
    train : Dataset
        The rows that the players were trained on.
    fresh : Dataset
        Rows that they were not trained on, such as the validation set; the first `num_samples` are used.
    num_samples : int
        Fewer samples are drawn if `fresh` has fewer rows.
    seed : int
        The random seed of the streams.
    generator_loss : NonSaturating, Saturating or Blend
        The loss that G descends.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If a data set's rows are not as wide as samples.
    """
    check_positive_ints(num_samples=num_samples)
    pair = players if isinstance(players, AdversaryPair) else None
    G = pair.generator if pair else players
    for dataset in (train, fresh):
        if dataset.X.shape[1] != G.mlp.dim:
            raise ValueError(f"G makes rows of {G.mlp.dim} numbers, but {dataset.name} has rows of "
                             f"{dataset.X.shape[1]}; take the data that G was trained on")
    x = fresh.X[:num_samples]
    with aside((pair or G).streams, seed):
        z = G.noise(len(x))
        samples, outputs = G.fprop(z), dict(G.mlp.activations(z))
        grad_norms = gradient_norms(pair, z, generator_loss) if pair else None
    d_on_data, d_on_samples = (float(pair.discriminate(rows).mean()) if pair else None for rows in (x, samples))
    dead = {name: 1 - float(xp.any(outputs[name] > 0, axis=0).mean())
            for name, layer in G.mlp.named_layers if isinstance(layer, RectifiedLinear)}
    near_samples, near_data = (to_numpy(nearest(rows, train.X)) for rows in (samples, x))
    return Diagnosis(len(x), d_on_data, d_on_samples, grad_norms, dead, count_labels(train, near_samples),
                     count_labels(train, near_data), len(np.unique(near_samples)), len(np.unique(near_data)))


def count_labels(dataset, rows):
    """Return how many of the `rows`, indices into `dataset`, have each label: a tuple of int; None without labels."""
    if dataset.y is None:
        return None
    return tuple(np.bincount(dataset.y[rows], minlength=dataset.y.max() + 1).tolist())


def gradient_norms(pair, z, generator_loss):
    """Return the L2 norm of the gradient of `generator_loss` in each layer of the `pair`'s G, for noise `z`: a dict."""
    G, D = pair.generator, pair.discriminator
    a = D.dropout_fprop(G.fprop(z))
    G.bprop(D.bprop(generator_loss.grad(a), params=False), inputs=False)
    return {name: float(xp.sqrt(sum(xp.square(grad).sum() for grad in layer.grads)))
            for name, layer in G.mlp.named_layers}
