"""
========================
Semi-supervised learning
========================

Section 7 of Goodfellow et al. (2014), extension 4: "features from the discriminator or inference net could improve
performance of classifiers when limited labeled data is available."

G and D are trained on all training digits, without labels; then 100, 300 or 1,000 digits get labels. The script
compares linear classifiers on D's hidden units, on those of a net E that predicts z, on raw pixels, and on the units of
an untrained D; and a net of D's shape trained on the labelled digits alone with one initialised as D ("recapitated": a
head of ten outputs replaces D's single output).

Reads MNIST if it is found, otherwise the digits that come with npgan. If a checkpoint of ``mnist.py`` is named,
reads it instead of training. Writes ``semi_supervised.png``, and if it trains the checkpoint ``semi_supervised.npz``.
"""
from common import file_path, plain_generator, positive_int
from section7 import (
    CLASSES,
    classifier_net,
    inference_net,
    load,
    plain_pair,
    section7_options,
    train_inferer,
    train_pair,
)

import numpy as np
from matplotlib.figure import Figure

from npgan import viewer
from npgan.backend import RandomStream, xp
from npgan.datasets import Dataset
from npgan.layers import Linear
from npgan.learning_rule import Momentum
from npgan.section7.classifier import error, features, fit_softmax, recapitate, train_classifier
from npgan.section7.conditional import one_hot
from npgan.section7.inference import inference_step

chosen = section7_options(
    __doc__, "semi_supervised.png",
    checkpoint={"nargs": "?", "type": file_path, "help": "of mnist.py, instead of training"},
    draws={"type": positive_int, "default": 10, "help": "of labels, default %(default)s"})
if chosen.checkpoint is not None and chosen.resume:
    raise ValueError(f"--resume resumes a training, but {chosen.checkpoint} replaces the training; leave one out")
numbers = chosen.numbers
train, valid, test = load(chosen)

# %%
# Without labels
# --------------
# The game, and the net that predicts z from samples.

pair, order = plain_pair(train, chosen)
if chosen.checkpoint is not None:
    saved, _ = plain_generator(chosen.checkpoint)
    pair = saved.pair(rng=RandomStream([chosen.seed, 2]))
else:
    average = train_pair(pair, train, valid, chosen, order)
    pair.generator.theta[...] = average.theta
G, D = pair.generator, pair.discriminator
if G.mlp.dim != train.X.shape[1]:
    raise ValueError(f"{chosen.checkpoint}: expected nets for rows of {train.X.shape[1]} numbers, found {G.mlp.dim}")
untrained = plain_pair(train, chosen)[0].discriminator
E = inference_net(G, chosen)
train_inferer(E, chosen, lambda E, rule: inference_step(E, rule, 100))


def scaled(features_of):
    """Return the features of training, validation and test rows, divided by their root mean square in training."""
    parts = [features_of(data.X) for data in (train, valid, test)]
    size = xp.sqrt(xp.square(parts[0][:1000]).mean())
    return [part / size for part in parts]


inputs = {"raw pixels": scaled(lambda x: x),
          "units of D": scaled(lambda x: features(D, x)),
          "units of E": scaled(lambda x: features(E.net, x)),
          "units of an untrained D": scaled(lambda x: features(untrained, x))}
SIZES = [n for n in (100, 300, 1000) if n < len(train)]
PENALTIES = 1e-4, 1e-3, 1e-2, 1e-1, 1.

# %%
# With few labels
# ---------------
# Every draw takes the same number of digits of each class, and all classifiers get the same draws.  The penalty of a
# linear classifier is chosen on the first 300 validation digits with the first draw, once for each number of labels.


def drawn(n, draw):
    """Return the indices of `n` training rows, n / 10 of each class."""
    rng = np.random.default_rng([chosen.seed, n, draw])
    return np.concatenate([rng.choice(np.flatnonzero(train.y == k), n // CLASSES, replace=False)
                           for k in range(CLASSES)])


def linear(name, n):
    """Return the test errors of a linear classifier on the inputs called `name`, one for each draw of `n` labels."""
    X, X_valid, X_test = inputs[name]

    def fit(draw, penalty):
        rows = drawn(n, draw)
        return fit_softmax(X[xp.asarray(rows)], one_hot(train.y[rows], CLASSES), penalty)

    checked = Dataset(X_valid[:300], valid.y[:300])
    penalty = min(PENALTIES, key=lambda penalty: error(fit(0, penalty), checked))
    judged = Dataset(X_test, test.y)
    return [error(fit(draw, penalty), judged) for draw in range(chosen.draws)]


def net(start, n):
    """Return the test errors of a net of D's shape for each draw of `n` labels, initialised as `start` or at random."""
    errors = []
    for draw in range(chosen.draws):
        weights, masks, order = (RandomStream([chosen.seed, n, draw, i]) for i in range(3))
        head = Linear(nvis=numbers.units, dim=CLASSES, irange=.05, rng=weights)
        classifier = (recapitate(start, head) if start else
                      classifier_net(train.X.shape[1], numbers, weights, masks))
        rows = drawn(n, draw)
        train_classifier(classifier, train.X[xp.asarray(rows)], one_hot(train.y[rows], CLASSES),
                         Momentum(learning_rate=.05, init_momentum=.5), batch_size=100,
                         num_epochs=numbers.labelled_updates * 100 // n, rng=order)
        errors.append(error(classifier, test))
    return errors


results = {f"linear, {name}": [linear(name, n) for n in SIZES] for name in inputs}
results["net of D's shape"] = [net(None, n) for n in SIZES]
results["the same, recapitated D"] = [net(D, n) for n in SIZES]

over = f"mean and standard error over {chosen.draws} draws" if chosen.draws > 1 else "one draw"
print(f"errors on {len(test):,} test digits in %, {over} of labels\n\n"
      + " " * 34 + "".join(f"{f'{n:,} labels':>17}" for n in SIZES))
means, errors_of = {}, {}
for name, by_size in results.items():
    means[name] = [100 * np.mean(errors) for errors in by_size]
    errors_of[name] = [100 * np.std(errors, ddof=1) / len(errors) ** .5 if len(errors) > 1 else 0 for errors in by_size]
    print(f"{name:<34}" + "".join(f"{mean:9.2f} +- {se:.2f}" if chosen.draws > 1 else f"{mean:17.2f}"
                                  for mean, se in zip(means[name], errors_of[name])))

# %%
# The picture
# -----------

figure = Figure(figsize=(8, 4.5), layout="constrained")
ax = figure.subplots()
looks = [("s", "#888888", "--"), ("o", "#0072B2", "-"), ("v", "#E69F00", "-"), ("D", "#BBBBBB", ":"),
         ("P", "#555555", "--"), ("^", "#000000", "-")]              # solid: features and nets trained by the game
for (name, mean), (marker, color, dashes) in zip(means.items(), looks):
    ax.errorbar(SIZES, mean, errors_of[name], label=name, marker=marker, color=color, linestyle=dashes, capsize=3)
ax.set(xscale="log", yscale="log", xlabel="labelled digits", ylabel="test error (%)")
ax.set_xticks(SIZES, [f"{n:,}" for n in SIZES])
low, high = ax.get_ylim()
ticks = [tick for tick in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50) if low <= tick <= high]
ax.set_yticks(ticks, [str(tick) for tick in ticks])
ax.minorticks_off()
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, .5))
viewer.save(chosen.save_path, figure)
print(f"\nwrote {chosen.save_path}")
