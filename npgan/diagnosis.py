"""
What ails a game: numbers of its players at one moment, each with what it means and what is healthy.

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
        "What D takes for data.  Healthy: D(x) somewhat the larger, late on MNIST about .45 and .27.  At 1 and 0 D is "
        "too strong for G; at D(G(z)) near 1 G has outrun D; equal ones say nothing.",
    "gradient norms of G":
        "What of D's advice reaches each layer of G.  Healthy: .1 to 1.  Hundreds of times less leaves G as it is.",
    "rectifiers never on":
        "Units of G that no noise turns on and no gradient moves.  Healthy: few, late on MNIST 12% of h1.  Near 100% "
        "nothing of z passes the layer, and all samples are alike.",
    "nearest labels":
        "Which classes G draws: how many samples are nearest to a training row of each.  Healthy: numbers of the order "
        "of the data's.  A class with almost none is lost.",
    "distinct nearest rows":
        "How many training rows the samples are nearest to.  Healthy: nearly the data's number.  A few mean that G has "
        "collapsed to a few samples (the Helvetica scenario, Section 6).",
}


class Diagnosis(NamedTuple):
    """
    What `diagnose` found; as a string, the report.

    Attributes
    ----------
    num_samples : int
        Samples, and as many fresh rows.
    d_on_data, d_on_samples : float, in [0, 1]
        The means of D(x) over fresh rows and of D(G(z)), without dropout; None without D.
    grad_norms : dict of float
        The L2 norm of dC/d(parameters), in nats per unit, of each layer of G, C being G's loss through D with dropout;
        None without D.
    dead : dict of float, in [0, 1]
        For each layer of rectifiers in G the part of its units that no noise turned on.
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
        entries = (f"{name:<25}{value}\n{fill(MEANINGS[name], 100, initial_indent='    ', subsequent_indent='    ')}"
                   for name, value in values.items())
        return "\n\n".join([f"{self.num_samples} samples, and as many rows of data that nobody trained on", *entries])


def diagnose(players, train, fresh, num_samples=1000, seed=2014, generator_loss=NonSaturating()):
    """
    Take the numbers of a `Diagnosis`.

    Noise and masks come from streams of its own, so a game goes the same way with it or without.

    Parameters
    ----------
    players : AdversaryPair, or Generator alone
        G's `grad` is overwritten.
    train : Dataset
        What they trained on.
    fresh : Dataset
        Rows that they did not train on, such as the validation set; its first `num_samples` are taken.
    num_samples : int
        Fewer are drawn if `fresh` has fewer rows.
    seed : int
        Of the streams.
    generator_loss : NonSaturating, Saturating or Blend
        What G descends.

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
    d = [float(pair.discriminate(rows).mean()) if pair else None for rows in (x, samples)]
    dead = {name: 1 - float(xp.any(outputs[name] > 0, axis=0).mean())
            for name, layer in G.mlp.named_layers if isinstance(layer, RectifiedLinear)}
    matches = [to_numpy(nearest(rows, train.X)) for rows in (samples, x)]
    classes = [None if train.y is None else tuple(np.bincount(train.y[rows], minlength=train.y.max() + 1).tolist())
               for rows in matches]
    return Diagnosis(len(x), *d, grad_norms, dead, *classes, *(len(np.unique(rows)) for rows in matches))


def gradient_norms(pair, z, generator_loss):
    """The L2 norms of the gradient of `generator_loss` in the layers of the `pair`'s G, by noise `z`: a dict."""
    G, D = pair.generator, pair.discriminator
    a = D.dropout_fprop(G.fprop(z))
    G.bprop(D.bprop(generator_loss.grad(a), params=False), inputs=False)
    return {name: float(xp.sqrt(sum(xp.square(grad).sum() for grad in layer.grads)))
            for name, layer in G.mlp.named_layers}
