"""Exercises 10 to 12, convolutions and the Parzen window, as `grading.layers` has the layers."""
import numpy as np

from grading.grader import Mistake, Task
from grading.tools import Exercise, Passes, built, normal, rows_of
from npgan import conv, parzen, plain
from npgan.kernels import patches

# 10. and 11. Convolution and deconvolution

def flipped(W):
    return W[::-1, ::-1].copy()


def swapped(W):
    return W.transpose(0, 1, 3, 2).copy()


def convolution(s, W):
    """npgan's correlation, its patches and its kernels."""
    c = patches.Correlation(s.shape[1:], W.shape[:2], (1, 1), 0)
    return c, c.prepare_pictures(s.reshape(len(s), -1)), W.reshape(c.patch_size, -1)


def convolution_fprop(s, W):
    c, s_patches, kernels = convolution(s, W)
    return c.to_rows(c.correlate(s_patches, kernels)).reshape(len(s), *c.out_shape, -1)


def convolution_bprop(dz, s, W):
    c, s_patches, kernels = convolution(s, W)
    maps = c.to_maps(dz.reshape(len(dz), -1), dz.shape[1:])
    return c.deconvolve(maps, kernels).reshape(s.shape), c.kernel_gradient(s_patches, maps).reshape(W.shape)


def convolution_cases(*names):
    for seed, (m, Y, X, C, K, Q, n) in ((1, (3, 5, 4, 2, 3, 2, 4)), (2, (2, 4, 4, 3, 2, 2, 3))):
        arrays = {"dz": normal(seed, m, Y - K + 1, X - Q + 1, n), "s": normal(10 + seed, m, Y, X, C),
                  "W": normal(20 + seed, K, Q, C, n)}
        yield {name: arrays[name] for name in names}


def windows(W, s):
    """r, q and the window of a convolution, for each pixel of the kernels."""
    (K, Q), (Y, X) = W.shape[:2], s.shape[1:3]
    return [(r, q, np.s_[:, r:r + Y - K + 1, q:q + X - Q + 1]) for r in range(K) for q in range(Q)]


def ds_overwritten(I, r, g):
    ds = np.zeros_like(I.s)
    for r, q, window in windows(I.W, I.s):
        ds[window] = I.dz @ I.W[r, q].T
    return ds


def last_window(I, r, g):
    *_, (r, q, window) = windows(I.W, I.s)
    return I.s[window] @ I.W[r, q]


FLIPPED = "The kernels are turned by 180 degrees: pixel r, q of the kernel meets pixel i + r, j + q of the picture."
OVERWRITTEN = "Each window overwrites what the one before has left there.  Where they overlap, add: +=, not =."
LAST = "This is what the last r, q give; those before are overwritten.  Add them up."
CONVOLUTION = Exercise("ex10_convolution", "convolution", [
    Task("convolution_fprop", {"z": "(1)"}, list(convolution_cases("s", "W")), lambda I: convolution_fprop(I.s, I.W), [
        Mistake("flipped kernels", "z", "(1)", FLIPPED, lambda I, r, g: convolution_fprop(I.s, flipped(I.W))),
        Mistake("overwritten, not added", "z", "(2)", LAST, last_window),
        Mistake("transposed", "z", "(1)", "The kernels' last two axes are exchanged: W[r,q] is (channels, n).",
                lambda I, r, g: convolution_fprop(I.s, swapped(I.W)))]),
    Task("convolution_bprop", {"ds": "(4)", "dW": "(3)"}, list(convolution_cases("dz", "s", "W")),
         lambda I: convolution_bprop(I.dz, I.s, I.W), [
        Mistake("flipped kernels", "ds", "(4)", "The kernels are turned by 180 degrees: what W[r,q] gives goes to "
                "window(r,q).", lambda I, r, g: convolution_bprop(I.dz, I.s, flipped(I.W))[0]),
        Mistake("overwritten, not added", "ds", "(4)", OVERWRITTEN, ds_overwritten),
        Mistake("transposed", "ds", "(4)", "W[r,q] is to be transposed, as W was in exercise 1.",
                lambda I, r, g: convolution_bprop(I.dz, I.s, swapped(I.W))[0]),
        Mistake("flipped kernels", "dW", "(3)", FLIPPED, lambda I, r, g: flipped(r["dW"])),
        Mistake("transposed", "dW", "(3)", "Its last two axes are exchanged: dW[r,q] is (channels, n).",
                lambda I, r, g: swapped(r["dW"])),
        Mistake("one example only", "dW", "(3)", "Only the last example of the minibatch has a part in it.",
                lambda I, r, g: convolution_bprop(I.dz[-1:], I.s[-1:], I.W)[1])],
        lambda f, I: (Passes(convolution_fprop, f), I.s, I.W), "dz", rows=rows_of("dz"))],
    [patches.Correlation.correlate, patches.Correlation.kernel_gradient, patches.Correlation.deconvolve],
    "The same three sums, arranged for speed: examples are the last axis, and windows are laid side by side first, so "
    "that each product of matrices is a large one.")


def deconv(s, W, t):
    return built(conv.Deconv, s.shape[1:], W.shape[2], W.shape[:2], W=W, output_stride=(t, t), tied_b=True)


def deconvolution_fprop(s, W, t):
    shape = *(t * (n - 1) + k for n, k in zip(s.shape[1:3], W.shape)), W.shape[2]
    c = patches.Correlation(shape, W.shape[:2], (t, t), 0)
    maps = c.to_maps(s.reshape(len(s), -1), s.shape[1:])
    return c.deconvolve(maps, W.reshape(c.patch_size, -1)).reshape(len(s), *shape)


def deconvolution_bprop(dh, s, W, t):
    layer = deconv(s, W, t)
    layer.fprop(s.reshape(len(s), -1))
    return layer.bprop(dh.reshape(len(dh), -1)).reshape(s.shape), layer.dW.reshape(W.shape).copy()


def deconvolution_cases(*names):
    for seed, (m, I, J, n, K, Q, C, t) in ((1, (3, 3, 2, 4, 3, 4, 2, 2)), (2, (2, 2, 2, 3, 3, 3, 3, 1)),
                                           (3, (4, 2, 3, 2, 2, 2, 3, 3))):
        arrays = {"dh": normal(seed, m, t * (I - 1) + K, t * (J - 1) + Q, C), "s": normal(10 + seed, m, I, J, n),
                  "W": normal(20 + seed, K, Q, C, n), "stride": t}
        yield {name: arrays[name] for name in names}


def reached(I, r, q):
    (rows, cols), t = I.s.shape[1:3], I.stride
    return np.s_[:, r:r + t * (rows - 1) + 1:t, q:q + t * (cols - 1) + 1:t]


def h_overwritten(I, r, g):
    h = np.zeros_like(r["h"])
    for r, q in np.ndindex(I.W.shape[:2]):
        h[reached(I, r, q)] = I.s @ I.W[r, q].T
    return h


def ds_of_the_last(I, r, g):
    r, q = I.W.shape[0] - 1, I.W.shape[1] - 1
    return I.dh[reached(I, r, q)] @ I.W[r, q]


LAYS_DOWN = "The kernels are turned by 180 degrees: pixel r, q of the kernel goes to h[t i + r, t j + q]."
DECONVOLUTION = Exercise("ex11_deconvolution", "deconvolution", [
    Task("deconvolution_fprop", {"h": "(1)"}, list(deconvolution_cases("s", "W", "stride")),
         lambda I: deconvolution_fprop(I.s, I.W, I.stride), [
        Mistake("flipped kernels", "h", "(1)", LAYS_DOWN,
                lambda I, r, g: deconvolution_fprop(I.s, flipped(I.W), I.stride)),
        Mistake("overwritten, not added", "h", "(1)", OVERWRITTEN, h_overwritten),
        Mistake("forgot the stride", "h", "(2)", "Neighbours below lay their kernels down one pixel apart, not t.",
                lambda I, r, g: deconvolution_fprop(I.s, I.W, 1)),
        Mistake("transposed", "h", "(1)", "W[r,q] is (channels, n), and here it is to be transposed.",
                lambda I, r, g: deconvolution_fprop(I.s, swapped(I.W), I.stride))]),
    Task("deconvolution_bprop", {"ds": "(3)", "dW": "(4)"}, list(deconvolution_cases("dh", "s", "W", "stride")),
         lambda I: deconvolution_bprop(I.dh, I.s, I.W, I.stride), [
        Mistake("flipped kernels", "ds", "(3)", LAYS_DOWN,
                lambda I, r, g: deconvolution_bprop(I.dh, I.s, flipped(I.W), I.stride)[0]),
        Mistake("overwritten, not added", "ds", "(3)", LAST, ds_of_the_last),
        Mistake("transposed", "ds", "(3)", "Backward W[r,q] is not to be transposed: dh has channels, s has n.",
                lambda I, r, g: deconvolution_bprop(I.dh, I.s, swapped(I.W), I.stride)[0]),
        Mistake("flipped kernels", "dW", "(4)", LAYS_DOWN, lambda I, r, g: flipped(r["dW"])),
        Mistake("transposed", "dW", "(4)", "Its last two axes are exchanged: dW[r,q] is (channels, n).",
                lambda I, r, g: swapped(r["dW"])),
        Mistake("one example only", "dW", "(4)", "Only the last example of the minibatch has a part in it.",
                lambda I, r, g: deconvolution_bprop(I.dh[-1:], I.s[-1:], I.W, I.stride)[1])],
        lambda f, I: (Passes(lambda s, W: deconvolution_fprop(s, W, I.stride),
                             lambda dh, s, W: f(dh, s, W, I.stride)), I.s, I.W), "dh", rows=rows_of("dh"))],
    [conv.Deconv.fprop, conv.Deconv.bprop],
    "deconvolve and correlate are those of exercise 10, forward and backward exchanged.")


# 12. The Parzen window

def parzen_cases():
    for seed, (n, N, d, sigma) in ((1, (6, 4, 3, .7)), (2, (3, 8, 5, 1.3))):
        yield {"x": normal(seed, n, d), "samples": normal(9 + seed, N, d), "sigma": sigma}
    yield {"x": normal(3, 4, 64), "samples": normal(12, 7, 64) + 6, "sigma": .15}


def log_mean_exp(c):
    o = c.max(axis=1, keepdims=True)
    return (o + np.log(np.exp(c - o).mean(axis=1, keepdims=True)))[:, 0]


def exponents(I, scale):
    return -np.square(I.x[:, None] - I.samples).sum(axis=2) / scale


def normaliser(I):
    return I.x.shape[1] * np.log(I.sigma * np.sqrt(2 * np.pi))


def density(kind, line, words, altered):
    return Mistake(kind, "log p", line, words, lambda I, r, g: altered(I, r["log p"]))


PARZEN = Exercise("ex12_parzen", "the Parzen window", [
    Task("log_likelihood", {"log p": "(3)"}, list(parzen_cases()),
         lambda I: parzen.log_likelihood(I.x, I.samples, I.sigma), [
        density("forgot the 1/N", "(3)", "log N is still to be subtracted: the densities are averaged, not added.",
                lambda I, r: r + np.log(len(I.samples))),
        density("forgot the Gaussian's own factor", "(3)", "d log(sigma sqrt(2 pi)) is missing: without it wide "
                "Gaussians would always win.", lambda I, r: r + normaliser(I)),
        density("forgot the 1/N and the Gaussian's own factor", "(3)", "log N and d log(sigma sqrt(2 pi)) are missing.",
                lambda I, r: r + np.log(len(I.samples)) + normaliser(I)),
        density("forgot d", "(3)", "log(sigma sqrt(2 pi)) is to be subtracted for each of the d dimensions.",
                lambda I, r: r + normaliser(I) * (1 - 1 / I.x.shape[1])),
        density("added, not subtracted", "(3)", "d log(sigma sqrt(2 pi)) has the wrong sign.",
                lambda I, r: r + 2 * normaliser(I)),
        density("forgot the square root", "(3)", "It is log(sigma sqrt(2 pi)), not log(sigma 2 pi).",
                lambda I, r: r - I.x.shape[1] * np.log(np.sqrt(2 * np.pi))),
        density("forgot the 2", "(2)", "The exponent is divided by 2 sigma^2, not by sigma^2.",
                lambda I, r: log_mean_exp(exponents(I, I.sigma ** 2)) - normaliser(I)),
        density("sigma not squared", "(2)", "The exponent is divided by 2 sigma^2, not by 2 sigma.",
                lambda I, r: log_mean_exp(exponents(I, 2 * I.sigma)) - normaliser(I)),
        density("the distance not squared", "(2)", "The exponent has the square of the distance.",
                lambda I, r: log_mean_exp(-np.sqrt(-exponents(I, 1)) / (2 * I.sigma ** 2)) - normaliser(I)),
        density("the mean of the logs", "(1)", "This averages the logs of densities; wanted is the log of the average.",
                lambda I, r: exponents(I, 2 * I.sigma ** 2).mean(axis=1) - normaliser(I)),
        density("the nearest sample alone", "(4)", "Only the largest exponent has a part in it; add all of them.",
                lambda I, r: exponents(I, 2 * I.sigma ** 2).max(axis=1) - np.log(len(I.samples)) - normaliser(I)),
        density("forgot to put o back", "(4)", "o = max c_j was taken out of the sum, and is still to be added.",
                lambda I, r: r - exponents(I, 2 * I.sigma ** 2).max(axis=1)),
        density("the mean over the rows", "(3)", "Wanted is a number for each row of x.", lambda I, r: r.mean()),
        density("the density, not its log", "(3)", "This is p(x); wanted is log p(x).",
                lambda I, r: np.exp(r))], stable="(4)", edges=1)],
    [plain.parzen_window, parzen.StreamingParzen.merge, parzen.StreamingParzen.log_p],
    "nearest / sigma^2 is your o.  The squares of distances come from a product of matrices, samples may come a few at "
    "a time, and one pass serves several sigmas.")
