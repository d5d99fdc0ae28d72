"""
The Parzen window estimate of a generator's log-likelihood, in nats (Section 5, Table 1).

A Gaussian of width sigma stands on each of N samples mu_j, in d dimensions:

    log p(x) = log[ (1/N) sum_j exp(-||x - mu_j||^2 / (2 sigma^2)) ] - d log(sigma sqrt(2 pi))

The validation set chooses sigma.  The estimate "has somewhat high variance and does not perform well in high
dimensional spaces", says the paper; `sanity_samples` shows how to read its values.
"""
import math
from functools import partial
from typing import NamedTuple

import numpy as np

from npgan import backend
from npgan.backend import xp
from npgan.kernels.threads import in_parallel, shares

SIGMAS = tuple(10 ** (i / 9 - 1) for i in range(10))    # the authors' grid: 10 points log-spaced from .1 to 1
ROWS, SAMPLES = 1000, 10000                             # what all cores have of the matrix of distances at once: 40 MB,
STRIP = 2**17                                           # of which each works on as many entries as its cache holds


def log_likelihood(x, samples, sigmas):
    """
    The log-likelihood of each row of x under Gaussians on the samples, the equation above.

    Parameters
    ----------
    x : array_like (n, d)
        The rows to judge, in float32 or float64; anything else becomes floatX.  Distances are computed in that
        precision, about the mean of x; for MNIST at sigma = .1 float32 leaves an error of some .002 nats a row.  One
        row far off worsens that of all.
    samples : array_like (N, d)
        The centres mu_j; they are converted to x's precision.
    sigmas : float or sequence of float
        Standard deviations of the Gaussians, in the units of x.

    Returns
    -------
    array (n,), or (number of sigmas, n) for a sequence
        In nats, float64.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not of real numbers, are not (rows, width), are empty, differ in width, or hold NaN,
        infinity, or numbers whose squares are (`SamplesOutOfRange`, a ValueError, if samples do); for a sigma that is
        not a positive number, or outside 1e-19 to 9e18 (in float64 1e-154 to 7e153), as its square is needed, too.
    """
    return StreamingParzen(x, sigmas).add(samples).log_likelihood


class SamplesOutOfRange(ValueError):
    """Samples that hold NaN, infinity, or numbers whose squares are, as those of a game that has diverged."""


class StreamingParzen:
    """
    The log-likelihood of fixed rows under samples that come one or many at a time.

    If R is the log of the mean of n exponentials, a further one of exponent c changes it, as in the authors' code, to

        o + log(n e^(R - o) + e^(c - o)) - log(n + 1),    o = max(R, c).

    Kept here are o, as -||x - mu||^2 / 2 of the nearest sample, which serves all sigmas, and the sum of exponentials
    over e^o.  The distances come from the product of two matrices,

        -||x - mu||^2 / 2  =  x.mu - ||mu||^2 / 2 - ||x||^2 / 2,

    both taken about the mean of x, which keeps the terms and so their rounding small.

    Parameters
    ----------
    x, sigmas
        As for `log_likelihood`.  x is read by every `add`: it must not change in between.

    Attributes
    ----------
    num_samples : int
        The samples so far.
    """

    def __init__(self, x, sigmas):
        x = backend.asarray(x, backend.precision_of(x), name="x")
        _check("x", x)
        self.sigmas = backend.to_numpy(sigmas).astype("float64")
        largest = math.sqrt(float(np.finfo(str(x.dtype)).max)) / 2                  # 1 / sigma^2 is a number as well
        if self.sigmas.ndim > 1 or not self.sigmas.size or not np.all((self.sigmas >= 1 / largest)
                                                                      & (self.sigmas <= largest)):
            raise ValueError(f"sigmas must be one positive number or more, got {sigmas}; those of {x.dtype} are from "
                             f"{1 / largest:.0e} to {largest:.0e}")
        self.x, self.num_samples = x, 0
        self.centre = xp.mean(x, axis=0)
        self.sigma = xp.asarray(self.sigmas.reshape(-1, 1))
        self.nearest = xp.full(len(x), -math.inf)               # max_j -||x_i - mu_j||^2 / 2
        self.total = xp.zeros((len(self.sigma), len(x)))        # sum_j exp((-||x_i - mu_j||^2 / 2 - nearest) / sigma^2)

    def add(self, samples):
        """Take in samples (N, d), or one of shape (d,); returns self."""
        samples = backend.asarray(samples, self.x.dtype, name="samples")
        samples = samples[None] if samples.ndim == 1 else samples
        _check("samples", samples, SamplesOutOfRange)
        if samples.shape[1] != self.x.shape[1]:
            raise ValueError(f"x and samples must be of one width, got shapes {self.x.shape} and {samples.shape}")
        for block in _slices(len(samples), SAMPLES):
            mu = samples[block] - self.centre
            parts = shares(len(self.x))
            in_parallel(partial(self._take, mu, _half_norm(mu), max(1, ROWS // len(parts))), parts)
        self.num_samples += len(samples)
        return self

    def _take(self, mu, half_norm, size, rows):
        """The samples mu for a core's share of the rows, `size` at a time, from the product to the sums."""
        t = xp.empty((min(size, rows.stop - rows.start), len(mu)), mu.dtype)
        for few in _slices(rows.stop, size, rows.start):
            x = self.x[few] - self.centre
            peak, total = self._sums(xp.matmul(x, mu.T, out=t[:len(x)]), half_norm)
            self._merge(few, xp.minimum(peak - _half_norm(x), 0), total)

    def _sums(self, t, half_norm):
        """With t less half_norm_j: max_j t_ij, and sum_j exp((t_ij - max_j t_ij) / sigma^2) for each sigma."""
        peak, total = xp.empty(len(t), t.dtype), xp.empty((len(self.sigma), len(t)), t.dtype)
        for strip in _slices(len(t), max(1, STRIP // t.shape[1])) if xp.module is np else [slice(None)]:
            s = t[strip]
            s -= half_norm
            xp.max(s, axis=1, out=peak[strip])
            s -= peak[strip, None]
            e = xp.empty_like(s)
            for i, sigma in enumerate(self.sigmas.flat):
                xp.multiply(s, float(1 / sigma**2), out=e)
                xp.clip(e, -80., 0., out=e)                     # e^-80 is nothing beside e^0; denormal numbers are slow
                xp.exp(e, out=e)
                total[i, strip] = xp.einsum("ij->i", e)
        return peak, total

    def _merge(self, rows, peak, total):
        """Add the sums of a block, `total` over e^peak, to those so far."""
        before, nearest = self.nearest[rows], xp.maximum(self.nearest[rows], peak)
        self.total[:, rows] = (self.total[:, rows] * xp.exp((before - nearest) / self.sigma**2)
                               + total * xp.exp((peak - nearest) / self.sigma**2))
        self.nearest[rows] = nearest

    @property
    def log_likelihood(self):
        """Of each row of x under the samples so far, as the function of that name returns it."""
        if not self.num_samples:
            raise ValueError("there are no samples yet: add some before reading log_likelihood")
        R = self.nearest / self.sigma**2 + xp.log(self.total) - math.log(self.num_samples)
        log_p = R - self.x.shape[1] * xp.log(self.sigma * math.sqrt(2 * math.pi))
        return log_p if self.sigmas.ndim else log_p[0]


def choose_sigma(valid, samples, sigmas=SIGMAS):
    """
    The sigma with the largest mean log-likelihood of the validation rows, the first of them on ties.

    Parameters
    ----------
    valid, samples, sigmas
        x, samples and sigmas of `log_likelihood`.

    Returns
    -------
    sigma : float
    curve : tuple of float
        The mean for each of the sigmas, in nats.
    """
    sigmas = np.atleast_1d(backend.to_numpy(sigmas))
    curve = backend.to_numpy(log_likelihood(valid, samples, sigmas)).mean(axis=1)
    return float(sigmas[curve.argmax()]), tuple(curve.tolist())


class Result(NamedTuple):
    """An entry of Table 1; log-likelihoods in nats."""

    mean: float                 # of the test rows
    standard_error: float
    sigma: float                # the chosen one
    sigmas: tuple               # those tried
    curve: tuple                # the validation rows' mean for each
    num_samples: int

    def __str__(self):
        return (f"test log-likelihood: {self.mean:.2f} +- {self.standard_error:.2f} nats "
                f"(sigma {self.sigma:.4g}, {self.num_samples} samples)")


def evaluate(test, valid, samples, sigmas=SIGMAS):
    """
    The authors' procedure: the sigma that suits the validation rows, then the log-likelihood of the test rows.

    The standard error is the population standard deviation over the root of the number of test rows.

    Parameters
    ----------
    test, valid : array (n, d)
        For MNIST the authors took all 10,000 test rows and the first 1,000 validation rows.
    samples : array (N, d)
        The authors' N is 10,000.
    sigmas : float or sequence of float
        As for `log_likelihood`.

    Returns
    -------
    Result
    """
    sigma, curve = choose_sigma(valid, samples, sigmas)
    log_p = backend.to_numpy(log_likelihood(test, samples, sigma))
    return Result(float(log_p.mean()), float(log_p.std() / math.sqrt(len(log_p))), sigma,
                  tuple(np.atleast_1d(backend.to_numpy(sigmas)).tolist()), curve, len(samples))


def over_folds(results):
    """
    The mean over folds and its standard error, as Table 1 gives for TFD, of the `results` of the folds.

    The paper does not say whether its standard deviation divides by n or by n - 1.  It is n - 1 here, as the few folds
    are a sample of all that could have been.

    Returns
    -------
    mean, standard_error : float
        In nats.
    """
    means = [result.mean for result in results]
    if len(means) < 2:
        raise ValueError(f"a standard error over folds needs 2 folds or more, got {len(means)}")
    return float(np.mean(means)), float(np.std(means, ddof=1) / math.sqrt(len(means)))


def sanity_samples(train, num_samples, rng):
    """
    Samples of what is no generative net, whose log-likelihoods stand beside a net's.

    Training rows are samples of the true distribution, yet their k-means centres score higher, as Theis et al. (2016,
    "A note on the evaluation of generative models") found.  With 10,000 samples MNIST's test rows have 242, 335 and
    -241 nats; the centres take 35 seconds of a processor.

    Parameters
    ----------
    train : array (n, d)
    num_samples : int
        From 1 to n.
    rng : RandomStream
        Draws the rows, without replacement, from which k-means starts too, and the Gaussian's noise.

    Yields
    ------
    name : "training rows", "k-means centres", then "factorial Gaussian"
        The last has each column's own mean and standard deviation.
    samples : array (num_samples, d), of train's dtype
    """
    train = backend.asarray(train, backend.precision_of(train), name="train")
    _check("train", train)
    if not 1 <= num_samples <= len(train):
        raise ValueError(f"num_samples must be from 1 to the {len(train)} rows of train, got {num_samples}")
    rows = train[xp.asarray(rng.permutation(len(train))[:num_samples])]
    yield "training rows", rows
    yield "k-means centres", _kmeans(train, rows)
    noise = rng.normal(rows.shape).astype(train.dtype)
    yield "factorial Gaussian", xp.mean(train, axis=0) + xp.std(train, axis=0) * noise


def _kmeans(train, centres):
    """Three of Lloyd's iterations; a centre that is nearest to no row stays where it is."""
    for _ in range(3):
        half_norm = _half_norm(centres)
        total, count = xp.zeros_like(centres), xp.zeros(len(centres), centres.dtype)
        for rows in _slices(len(train), ROWS):
            nearest = xp.argmax(xp.matmul(train[rows], centres.T) - half_norm, axis=1)
            xp.add.at(total, nearest, train[rows])
            count += xp.bincount(nearest, minlength=len(centres))
        centres = xp.where(count[:, None] > 0, total / xp.maximum(count, 1)[:, None], centres)
    return centres


def _slices(stop, size, start=0):
    """start, ..., stop - 1 in slices of `size`, the last maybe shorter."""
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]


def _half_norm(a):
    """||a_i||^2 / 2 of each row."""
    return xp.einsum("ij,ij->i", a, a) / 2


def _check(name, a, out_of_range=ValueError):
    """Raise ValueError unless `a` has rows and columns, and numbers whose distances are finite."""
    if a.ndim != 2 or not a.size:
        raise ValueError(f"{name} must be (rows, width), neither of them 0, got shape {a.shape}")
    limit = math.sqrt(float(np.finfo(str(a.dtype)).max) / a.shape[1]) / 4
    for rows in _slices(len(a), ROWS):
        fits = xp.abs(a[rows]) <= limit
        if not fits.all():
            row = rows.start + int(xp.argmin(fits.all(axis=1)))
            finite = xp.isfinite(a[row]).all()
            what = f"of magnitudes up to {limit:.0e}, got more" if finite else "finite, got NaN or infinity"
            raise out_of_range(f"{name} must be {what} in row {row}")
