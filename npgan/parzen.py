"""
The Parzen window estimate of a generator's log-likelihood; its plain form is `npgan.plain.parzen_window`.

A Gaussian of width sigma stands on each of N samples mu_j, in d dimensions (Section 5, Table 1):

    log p(x) = log[ (1/N) sum_j exp(-||x - mu_j||^2 / (2 sigma^2)) ] - d log(sigma sqrt(2 pi))      in nats

Validation rows choose sigma.  Table 1 gives the mean of log p(x) over the test rows and its standard error.  The paper
says that the estimate "has somewhat high variance and does not perform well in high dimensional spaces";
`npgan.sanity` shows how to read its values.
"""
import math
from typing import NamedTuple

import numpy as np

from npgan import backend
from npgan.backend import xp
from npgan.kernels.parzen import ROWS, SAMPLES, slices, sum_exponentials

SIGMAS = tuple(10 ** (i / 9 - 1) for i in range(10))    # the authors' grid: 10 points log-spaced from .1 to 1


class SamplesOutOfRange(ValueError):
    """Samples hold NaN, infinity, or numbers whose squares overflow, as happens when a game has diverged."""


def log_likelihood(x, samples, sigmas):
    """
    Return log p(x) for each row of x under Gaussians on the samples, the equation above.

    Parameters
    ----------
    x : array_like (n, d)
        The rows to judge, in float32 or float64; others are converted to floatX.  Distances are computed in that
        precision, about the mean of x; for MNIST at sigma = .1 float32 leaves an error of some .002 nats a row.  One
        row far away worsens it for all.
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
    TypeError
        If x or samples are not arrays of real numbers.
    ValueError
        If x or samples are not of shape (rows, width), are empty, differ in width, or hold NaN, infinity or numbers
        whose squares overflow (for samples the subclass `SamplesOutOfRange`); if a sigma is not positive, or is outside
        1e-19 to 9e18 (in float64 1e-154 to 7e153), where sigma^2 leaves the range of floating-point numbers.
    """
    return StreamingParzen(x, sigmas).add(samples).log_p


class StreamingParzen:
    """
    The Parzen window for fixed rows x, with samples that arrive in one call of `add` or in many.

    With the exponents c_j = -||x - mu_j||^2 / (2 sigma^2) and o = max_j c_j, no exponential of

        log p(x) = o + log sum_j e^(c_j - o) - log N - d log(sigma sqrt(2 pi))

    overflows, and the largest is 1.  Kept for each x are ``nearest`` = sigma^2 o, which is the same for every sigma,
    and ``total`` = sum_j e^(c_j - o).  Further samples, with o' and total' of their own, change these to

        max(o, o')    and    total e^(o - max(o, o')) + total' e^(o' - max(o, o')),

    which for one further sample is the authors' recurrence, `npgan.plain.parzen_recurrence`.

    Parameters
    ----------
    x, sigmas
        As for `log_likelihood`.  Every `add` reads x: it must not change in between.

    Attributes
    ----------
    num_samples : int
        N, the number of samples so far.
    """

    def __init__(self, x, sigmas):
        x = backend.asarray(x, backend.precision_of(x), name="x")
        check_rows("x", x)
        self.sigmas = backend.to_numpy(sigmas).astype("float64")
        largest = math.sqrt(float(np.finfo(str(x.dtype)).max)) / 2
        within = (self.sigmas >= 1 / largest) & (self.sigmas <= largest)
        if self.sigmas.ndim > 1 or not self.sigmas.size or not within.all():
            raise ValueError(f"sigmas must be one positive number or more, from {1 / largest:.0e} to {largest:.0e} for "
                             f"{x.dtype}, got {sigmas}")
        self.x, self.num_samples = x, 0
        self.centre = xp.mean(x, axis=0)
        self.sigma = xp.asarray(self.sigmas.reshape(-1, 1))
        self.nearest = xp.full(len(x), -math.inf)
        self.total = xp.zeros((len(self.sigma), len(x)))

    def add(self, samples):
        """Take in samples (N, d), or one of shape (d,); return self."""
        samples = backend.asarray(samples, self.x.dtype, name="samples")
        if samples.ndim == 1:
            samples = samples[None]
        check_rows("samples", samples, SamplesOutOfRange)
        if samples.shape[1] != self.x.shape[1]:
            raise ValueError(f"x and samples must be of one width, got shapes {self.x.shape} and {samples.shape}")
        for block in slices(len(samples), SAMPLES):
            nearest, total = sum_exponentials(self.x, samples[block], self.centre, self.sigmas.ravel())
            self.merge(nearest, total)
        self.num_samples += len(samples)
        return self

    def merge(self, nearest, total):
        """Take in further samples by their `nearest` (n,) and `total` (number of sigmas, n); see the class."""
        before, self.nearest = self.nearest, xp.maximum(self.nearest, nearest)
        self.total = (self.total * xp.exp((before - self.nearest) / self.sigma**2)
                      + total * xp.exp((nearest - self.nearest) / self.sigma**2))

    @property
    def log_p(self):
        """log p(x) for each row of x under the samples so far, as `log_likelihood` returns it."""
        if not self.num_samples:
            raise ValueError("there are no samples yet: call add(samples) before reading log_p")
        d = self.x.shape[1]
        log_mean = self.nearest / self.sigma**2 + xp.log(self.total) - math.log(self.num_samples)
        log_p = log_mean - d * xp.log(self.sigma * math.sqrt(2 * math.pi))
        return log_p if self.sigmas.ndim else log_p[0]


def choose_sigma(valid, samples, sigmas=SIGMAS):
    """
    Return the sigma with the largest mean log-likelihood of the validation rows, the first of them on ties.

    Parameters
    ----------
    valid, samples, sigmas
        x, samples and sigmas of `log_likelihood`.

    Returns
    -------
    sigma : float
    curve : tuple of float
        The mean log-likelihood for each of the sigmas, in nats.
    """
    sigmas = np.atleast_1d(backend.to_numpy(sigmas))
    curve = backend.to_numpy(log_likelihood(valid, samples, sigmas)).mean(axis=1)
    return float(sigmas[curve.argmax()]), tuple(curve.tolist())


class Result(NamedTuple):
    """An entry of Table 1; log-likelihoods are in nats."""

    mean: float                 # mean log-likelihood of the test rows
    standard_error: float       # of that mean
    sigma: float                # chosen on the validation rows
    sigmas: tuple               # the candidates
    curve: tuple                # mean log-likelihood of the validation rows for each candidate
    num_samples: int

    def __str__(self):
        return (f"test log-likelihood: {self.mean:.2f} +- {self.standard_error:.2f} nats "
                f"(sigma {self.sigma:.4g}, {self.num_samples} samples)")


def evaluate(test, valid, samples, sigmas=SIGMAS):
    """
    Return an entry of Table 1: the validation rows choose sigma, then the test rows give the log-likelihood.

    The standard error is std(log p(x)) / sqrt(n) over the n test rows, std being the population standard deviation.

    Parameters
    ----------
    test, valid : array (n, d)
        For MNIST the authors used all 10,000 test rows and the first 1,000 validation rows.
    samples : array (N, d)
        The authors used N = 10,000.
    sigmas : float or sequence of float
        As for `log_likelihood`.

    Returns
    -------
    Result
    """
    sigma, curve = choose_sigma(valid, samples, sigmas)
    log_p = backend.to_numpy(log_likelihood(test, samples, sigma))
    standard_error = log_p.std() / math.sqrt(len(log_p))
    candidates = np.atleast_1d(backend.to_numpy(sigmas)).tolist()
    return Result(float(log_p.mean()), float(standard_error), sigma, tuple(candidates), curve, len(samples))


def over_folds(results):
    """
    Return the mean over folds and its standard error, which Table 1 gives for TFD.

    The paper does not say whether its standard deviation divides by n or by n - 1.  Here it is n - 1, because the five
    folds are a sample of the possible ones.

    Parameters
    ----------
    results : sequence of Result
        One for each fold.

    Returns
    -------
    mean, standard_error : float
        In nats.
    """
    means = [result.mean for result in results]
    if len(means) < 2:
        raise ValueError(f"the standard error over folds needs 2 folds or more, got {len(means)}")
    return float(np.mean(means)), float(np.std(means, ddof=1) / math.sqrt(len(means)))


def check_rows(name, a, out_of_range=ValueError):
    """Raise ValueError unless `a`, the argument `name`, has rows and columns; `out_of_range` if squares overflow."""
    if a.ndim != 2 or not a.size:
        raise ValueError(f"{name} must be (rows, width), neither of them 0, got shape {a.shape}")
    limit = math.sqrt(float(np.finfo(str(a.dtype)).max) / a.shape[1]) / 4
    for rows in slices(len(a), ROWS):
        fits = xp.abs(a[rows]) <= limit
        if not fits.all():
            row = rows.start + int(xp.argmin(fits.all(axis=1)))
            finite = xp.isfinite(a[row]).all()
            what = f"of magnitudes up to {limit:.0e}, got more" if finite else "finite, got NaN or infinity"
            raise out_of_range(f"{name} must be {what} in row {row}")
