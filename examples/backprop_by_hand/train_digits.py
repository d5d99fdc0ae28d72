"""
The last step: a GAN of the learner's own functions, trained on the embedded digits; the same as ``check.py gan``.

Every forward pass, gradient, step and log-likelihood is the learner's; from npgan come the digits and the picture.
"""
import math
import sys
import time
from types import SimpleNamespace

import numpy as np
from players import Affine, Dropout, Maxout, Player, Rectifier, Sigmoid

from npgan import viewer
from npgan.datasets import digits

M, K = 100, 1                               # Algorithm 1's m and k
PORTIONS = 10                               # between which the game is looked at
SIGMAS = .12, .15, .18, .22, .27


def nets(f, X, weights, masks):
    """G and D before training; `f` holds the learner's functions by their names."""
    G = Player(f, [Affine(f, 50, 200, weights), Rectifier(f), Affine(f, 200, 200, weights), Rectifier(f),
                   Affine(f, 200, 64, weights), Sigmoid(f)], learning_rate=.1, mu=.5, decay=.9995)
    ink = np.clip(X.mean(axis=0), 1e-7, 1 - 1e-7)
    G.layers[-2].params[1] = np.log(ink / (1 - ink))                # G starts at the mean of the digits
    D = Player(f, [Dropout(f, .8, masks), Affine(f, 64, 300, weights), Maxout(f, 5),
                   Dropout(f, .8, masks), Affine(f, 60, 300, weights), Maxout(f, 5),
                   Dropout(f, .8, masks), Affine(f, 60, 1, weights)], learning_rate=.1, mu=.5)
    return G, D


def play(f, max_epochs, seed):
    """G after training, and what draws z."""
    weights, z, masks, order = (np.random.default_rng([seed, i]) for i in range(4))
    X, valid = digits.load("train").X, digits.load("valid").X
    G, D = nets(f, X, weights, masks)

    def noise(m=M):
        return z.uniform(-math.sqrt(3), math.sqrt(3), (m, 50)).astype("float32")

    def data():
        return X[order.integers(len(X), size=M)]

    print("   steps       V    D(x)  D(G(z))        (-1.386 and 1/2 where D can tell nothing)")
    for portion in range(PORTIONS):
        steps = max(1, max_epochs * len(X) // M // PORTIONS)
        f.algorithm_1(G, D, data, noise, steps, K)
        G.mu = D.mu = .5 + .2 * (portion + 1) / PORTIONS
        a_data, a_samples = D.plain(valid), D.plain(G.plain(noise(len(valid))))
        print(f"  {G.steps:6}  {float(f.value(a_data, a_samples)):6.3f}  {f.sigmoid_fprop(a_data).mean():6.3f}  "
              f"{f.sigmoid_fprop(a_samples).mean():7.3f}", flush=True)
    return G, noise


def likelihood(f, x, samples, sigma):
    """The log-likelihood of each row, by the learner's Parzen window; a few rows at a time, as its arrays are large."""
    return np.concatenate([f.log_likelihood(x[i:i + 50], samples, sigma) for i in range(0, len(x), 50)])


def main(written, exercises, max_epochs, seed, save_path):
    """Train, judge and draw, by the functions `written` for the `exercises`."""
    start = time.monotonic()
    f = SimpleNamespace(**{task.name: written.function(e.stem, task.name) for e in exercises for task in e.tasks})
    with written.watched({}, limited=False):
        G, noise = play(f, max_epochs, seed)
        samples = G.plain(noise(1000), average=True)
        train, valid, test = (digits.load(which) for which in ("train", "valid", "test"))
        sigma = max(SIGMAS, key=lambda sigma: likelihood(f, valid.X[:100], samples, sigma).mean())
        log_p = likelihood(f, test.X, samples, sigma)
        real = likelihood(f, test.X, train.X[:1000], .13).mean()
    error = log_p.std() / math.sqrt(len(log_p))
    print(f"\nLog-likelihood of {len(test)} digits that nobody trained on, in nats, by your Parzen window:\n"
          f"    {log_p.mean():5.1f} +- {error:.1f}   on 1,000 samples of your G; sigma {sigma}, by 100 other digits\n"
          f"    {real:5.1f}          on 1,000 training digits in place of samples")
    viewer.save(save_path, viewer.nearest_sheet(samples[:36], train.X, train.shape, rows=6, cols=7))
    print(f"wrote {save_path}: fair samples, and in yellow the training digit nearest to the one on its left "
          f"({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    import check
    sys.exit(check.main(["gan", *sys.argv[1:]]))
