"""
================
All conditionals
================

Section 7 of Goodfellow et al. (2014), extension 3: "One can approximately model all conditionals p(x_S | x_rest) where
S is a subset of the indices of x by training a family of conditional models that share parameters."  One G gets any
part of a digit and the mask of the given pixels, and draws the rest, differently for each z.

Reads MNIST if it is found, otherwise the digits that come with npgan. Writes ``completion.png`` and the checkpoint
``completion.npz``. ``--masks right_half`` trains only on the authors' inpainting task.
"""
from section7 import judge, load, section7_options, streams, train_pair

import numpy as np

from npgan import viewer
from npgan.adversarial import AdversaryPair
from npgan.backend import asarray, to_numpy, xp
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP
from npgan.section7.classifier import predict
from npgan.section7.completion import MASKS, CompletingGenerator
from npgan.section7.conditional import ConditionalDropout, ConditionalMaxout, ConditionalRectifiedLinear

chosen = section7_options(__doc__, "completion.png", masks={
    "choices": tuple(MASKS), "default": "quadrants_and_pixels", "help": "masks of the training, default %(default)s"})
numbers = chosen.numbers
train, valid, test = load(chosen)
d = train.X.shape[1]

# %%
# The two players
# ---------------
# The inputs of G are z, the given pixels (0 for the others) and the mask; those of D are the whole picture, given and
# drawn pixels together, and the mask.

weights_G, weights_D, noise, masks, order = streams(chosen)
G = CompletingGenerator(
    MLP([ConditionalRectifiedLinear(nvis=numbers.nz + 2 * d, dim=numbers.hidden, irange=.05, rng=weights_G,
                                    ncond=2 * d),
         RectifiedLinear(nvis=numbers.hidden, dim=numbers.hidden, irange=.05, rng=weights_G),
         Sigmoid(nvis=numbers.hidden, dim=d, irange=.05, rng=weights_G, init_bias=marginal_bias(train.X))]),
    shape=train.shape, masks=chosen.masks, noise="uniform", rng=noise)
D = MLP([ConditionalDropout(include_prob=.8, rng=masks, ncond=d),
         ConditionalMaxout(nvis=2 * d, num_units=numbers.units, num_pieces=5, irange=numbers.irange_D, rng=weights_D,
                           ncond=d),
         Dropout(include_prob=numbers.include_prob, rng=masks),
         Maxout(nvis=numbers.units, num_units=numbers.units, num_pieces=5, irange=numbers.irange_D, rng=weights_D),
         Dropout(include_prob=numbers.include_prob, rng=masks),
         Linear(nvis=numbers.units, dim=1, irange=numbers.irange_D, rng=weights_D)])

# %%
# The game
# --------
# At half the other scripts' learning rates; at their full rates the nets for MNIST reached NaN after 20 epochs.

average = train_pair(AdversaryPair(G, D), train, valid, chosen, order, rate=.5)

# %%
# Some questions
# --------------
# True for the given pixels.  In a picture with an odd number of columns or rows, halves include the middle one.

h, w = train.shape
row, column = np.divmod(np.arange(d), w)
left, upper = column < w - w // 2, row < h - h // 2
questions = {"right half missing": left, "left half missing": ~left, "lower half missing": upper,
             "one quadrant given": left & upper, "three quadrants given": left | upper,
             "a fifth of the pixels given": np.random.default_rng(chosen.seed).random(d) < .2,
             "nothing given": np.zeros(d, bool)}

# %%
# How good are the answers?
# -------------------------
# For unseen digits: whether the given pixels are kept; how often a classifier trained on the real digits predicts the
# true class of the completed ones; and the distance between two completions of one digit in the missing pixels, beside
# the distance between two real digits there (root mean squares).

x, y = test.X[:1000], test.y[:1000]
others = x[xp.asarray(np.random.default_rng(chosen.seed).permutation(len(x)))]
classifier = judge(train, test, chosen)
print(f"of these {len(x):,} test digits {np.mean(predict(classifier, x) == y):.1%}\n\n"
      "question                      given pixels kept  true class seen  two completions apart  two digits apart")
with average.applied():
    for question, given in questions.items():
        mask = asarray(given)
        first, second = G.complete(x, mask), G.complete(x, mask)
        kept = bool(((first == x) | (mask == 0)).all() and ((second == x) | (mask == 0)).all())
        apart = [float(xp.sqrt(xp.square(a - b)[:, mask == 0].mean())) for a, b in ((first, second), (x, others))]
        print(f"{question:<29} {'all' if kept else 'NOT ALL':>17} {np.mean(predict(classifier, first) == y):16.1%} "
              f"{apart[0]:22.3f} {apart[1]:17.3f}")

# %%
# The picture
# -----------
# For each mask three digits, the first of their classes among the test rows: the digit, its given part (the rest in
# grey), and six random completions.

sheet = []
with average.applied():
    for i, given in enumerate(questions.values()):
        for digit in (3 * i % 10, (3 * i + 1) % 10, (3 * i + 2) % 10):
            picture = test.X[int(np.flatnonzero(test.y == digit)[0])][None]
            completions = G.complete(xp.tile(picture, (6, 1)), asarray(given))
            known = np.where(given, 2 * to_numpy(picture) - 1, 0)
            sheet += [2 * to_numpy(picture) - 1, known, 2 * to_numpy(completions) - 1]
patches = np.concatenate(sheet).reshape(-1, h, w)
viewer.save(chosen.save_path, viewer.grid(patches, len(patches) // 8, 8, np.arange(len(patches)) % 8 == 0))
print(f"\nwrote {chosen.save_path} and {chosen.stem}.npz; rows of three: {', '.join(questions)}")
