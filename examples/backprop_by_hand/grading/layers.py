"""
Exercises 1 to 6, the layers: the inputs each function is tried on, npgan's answer, and the mistakes to expect.

A `Mistake` holds the right answer altered; the tests see to it that no two look alike.
"""
from types import SimpleNamespace

import numpy as np

from grading.grader import Mistake, Task
from grading.tools import Exercise, Passes, built, normal, rows_of
from npgan import costs, layers
from npgan.backend import RandomStream

# 1. The affine map

def affine(I):
    return built(layers.Linear, *I.W.shape, W=I.W, b=getattr(I, "b", 0.))


def affine_bprop(I):
    layer = affine(I)
    layer.fprop(I.s)
    return layer.bprop(I.dz), layer.dW, layer.db


def affine_cases(*names):
    for seed, (m, nvis, dim) in ((1, (5, 4, 3)), (2, (4, 4, 4)), (3, (2, 3, 6))):
        arrays = {"dz": normal(seed, m, dim), "s": normal(10 + seed, m, nvis), "W": normal(20 + seed, nvis, dim),
                  "b": normal(30 + seed, dim)}
        yield {name: arrays[name] for name in names}


def forgot_sum(name, output, line):
    return Mistake("forgot the sum over the rows", output, line,
                   "It still has a number for each row of the minibatch; add them up over the rows, axis=0.",
                   lambda I, r, g: getattr(I, name))


AFFINE = Exercise("ex01_affine", "the affine map", [
    Task("affine_fprop", {"z": "(1)"}, list(affine_cases("s", "W", "b")), lambda I: affine(I).fprop(I.s), [
        Mistake("forgot the bias", "z", "(1)", "This is s W; b is still to be added to each row.",
                lambda I, r, g: r["z"] - I.b),
        Mistake("the bias with the wrong sign", "z", "(1)", "This is s W - b.",
                lambda I, r, g: r["z"] - 2 * I.b)]),
    Task("affine_bprop", {"ds": "(2)", "dW": "(3)", "db": "(4)"}, list(affine_cases("dz", "s", "W")), affine_bprop, [
        Mistake("transposed", "ds", "(2)", "W is to be transposed: the sum over j is over the columns of dz and the "
                "columns of W.  With as many units below as here it fits either way, but is right in one only.",
                lambda I, r, g: I.dz @ I.W),
        Mistake("forgot W", "ds", "(2)", "W has no part in it.",
                lambda I, r, g: I.dz @ np.ones_like(I.W).T),
        Mistake("transposed", "dW", "(3)", "s is to be transposed: the sum over i is over the rows of s and of dz.",
                lambda I, r, g: I.s @ I.dz),
        Mistake("forgot s", "dW", "(3)", "s has no part in it.", lambda I, r, g: np.ones_like(I.s).T @ I.dz),
        Mistake("W in place of s", "dW", "(3)", "This multiplies dz by W; W's own factor in z is s.",
                lambda I, r, g: I.dz @ I.W),
        Mistake("wrong axis in the bias sum", "db", "(4)", "Yours adds up the units and leaves a number for each row.  "
                "b has a number for each unit, so add up the rows: axis=0.", lambda I, r, g: I.dz.sum(axis=1)),
        Mistake("summed over everything", "db", "(4)", "A sum without an axis leaves one number in all; b has one for "
                "each unit.", lambda I, r, g: I.dz.sum()),
        forgot_sum("dz", "db", "(4)")],
        lambda f, I: (Passes(lambda s, W, b: s @ W + b, lambda dz, s, W, b: f(dz, s, W)), I.s, I.W, I.dz[0]),
        "dz", rows=rows_of("dz"))],
    [layers.Linear.fprop, layers.Linear.bprop],
    "Yours are the lines with xp.matmul and xp.sum(dz, axis=0).  A caller of npgan's may want a part only, params or "
    "inputs, or have dW and db added to a velocity, (beta, alpha).")


# 2. and 3. The rectifier and the sigmoid

def through(layer, z, dh):
    """The backward pass of an elementwise layer of npgan's at z."""
    layer = built(layer, z.shape[1], z.shape[1])
    layer.fprop(z)
    return layer.bprop(dh)


def with_a_zero(z):
    z[0, 0] = 0.
    return z


RECTIFIER = Exercise("ex02_rectifier", "the rectifier", [
    Task("rectifier_fprop", {"h": "(1)"}, [{"z": normal(1, 5, 4)}, {"z": with_a_zero(normal(2, 3, 3))}],
         lambda I: built(layers.RectifiedLinear, I.z.shape[1], I.z.shape[1]).fprop(I.z), [
        Mistake("nothing rectified", "h", "(1)", "This is z as it came.", lambda I, r, g: I.z),
        Mistake("the wrong side", "h", "(1)", "This keeps what is negative.", lambda I, r, g: np.minimum(I.z, 0)),
        Mistake("the absolute value", "h", "(1)", "What is negative should become 0, not positive.",
                lambda I, r, g: abs(I.z)),
        Mistake("the mask in place of the value", "h", "(1)", "This is 1 where z > 0; wanted is z there.",
                lambda I, r, g: I.z > 0)]),
    Task("rectifier_bprop", {"dz": "(3)"}, [{"dh": normal(4, 5, 4), "z": normal(1, 5, 4)},
                                            {"dh": normal(5, 3, 3), "z": normal(2, 3, 3)},
                                            {"dh": normal(6, 2, 3), "z": with_a_zero(normal(3, 2, 3))}],
         lambda I: through(layers.RectifiedLinear, I.z, I.dh), [
        Mistake("missing mask", "dz", "(2)", "This is dh as it came, also where the rectifier was off.  There h does "
                "not move with z, and dz is 0.", lambda I, r, g: I.dh),
        Mistake("the mask the wrong way round", "dz", "(2)", "dh comes through where z < 0 and is stopped where z > 0.",
                lambda I, r, g: I.dh * (I.z < 0)),
        Mistake("mask of the wrong array", "dz", "(2)", "The mask asks for the sign of z, not of dh.",
                lambda I, r, g: I.dh * (I.dh > 0)),
        Mistake("the value in place of the slope", "dz", "(3)", "This multiplies dh by h = max(0, z); the slope of h "
                "is 1 where z > 0, however large z is.", lambda I, r, g: I.dh * np.maximum(I.z, 0))],
         lambda f, I: (Passes(lambda z: np.maximum(z, 0), f), I.z), "dh", rows=rows_of("dh"), edges=1)],
    [layers.RectifiedLinear.fprop, layers.RectifiedLinear.bprop],
    "npgan's layer does the affine map as well, super(), and keeps the mask as the slope.")


def logit(h):
    return np.log(h / (1 - h))


SIGMOID = Exercise("ex03_sigmoid", "the sigmoid", [
    Task("sigmoid_fprop", {"h": "(1)"}, [{"z": normal(1, 5, 4)}, {"z": 3 * normal(2, 3, 3)},
                                         {"z": np.array([[-800., 0., 800.]])}], lambda I: layers.sigmoid(I.z), [
        Mistake("the sign of z", "h", "(1)", "This is 1 / (1 + exp(z)), which falls as z grows.",
                lambda I, r, g: layers.sigmoid(-I.z)),
        Mistake("the hyperbolic tangent", "h", "(1)", "tanh goes from -1 to 1; the sigmoid from 0 to 1.",
                lambda I, r, g: np.tanh(I.z))]),
    Task("sigmoid_bprop", {"dz": "(4)"}, [{"dh": normal(4, 5, 4), "h": layers.sigmoid(normal(1, 5, 4))},
                                          {"dh": normal(5, 3, 3), "h": layers.sigmoid(normal(2, 3, 3))}],
         lambda I: through(layers.Sigmoid, logit(I.h), I.dh), [
        Mistake("half of the slope", "dz", "(3)", "This is dh h; the factor 1 - h is missing.",
                lambda I, r, g: I.dh * I.h),
        Mistake("half of the slope", "dz", "(3)", "This is dh (1 - h); the factor h is missing.",
                lambda I, r, g: I.dh * (1 - I.h)),
        Mistake("the slope at h in place of z", "dz", "(3)", "This puts h into the sigmoid once more.  h is its output "
                "already, and the slope is h (1 - h).",
                lambda I, r, g: I.dh * layers.sigmoid(I.h) * (1 - layers.sigmoid(I.h)))],
         lambda f, I: (Passes(layers.sigmoid, lambda dh, z: f(dh, layers.sigmoid(z))), logit(I.h)), "dh",
         rows=rows_of("dh"))],
    [layers.sigmoid, layers.Sigmoid.bprop],
    "Neither exponential overflows, whatever z is; the layer does the affine map as well, super().")


# 4. Cross-entropy on the logit

def label_cases():
    for seed, m in ((1, 6), (2, 5)):
        yield {"a": 2 * normal(seed, m, 1), "y": (np.arange(m) % 2. + (np.arange(m) == 4) > 0)[:, None] * 1.}
    yield {"a": np.array([[800.], [-800.], [800.], [-800.]]), "y": np.array([[0.], [1.], [1.], [0.]])}


def exchanged(name, right, line):
    return Mistake("labels exchanged", name, line, "y = 1 is treated as a sample and y = 0 as data.",
                   lambda I, _, given: right(I.a, 1 - I.y))


def slope_of_sigmoid(I):
    D = layers.sigmoid(I.a)
    return D * (1 - D)


CROSS_ENTROPY = Exercise("ex04_cross_entropy", "cross-entropy on the logit", [
    Task("cross_entropy", {"C": "(1)"}, list(label_cases()), lambda I: costs.cross_entropy(I.a, I.y), [
        exchanged("C", costs.cross_entropy, "(1)"),
        Mistake("forgot the second term", "C", "(1)", "Only the rows with y = 1 count in it.",
                lambda I, r, g: (I.y * costs.softplus(-I.a)).mean()),
        Mistake("forgot the first term", "C", "(1)", "Only the rows with y = 0 count in it.",
                lambda I, r, g: ((1 - I.y) * costs.softplus(I.a)).mean()),
        Mistake("one number for each row", "C", "(1)", "The cost is one number, the mean of these.",
                lambda I, r, g: I.y * costs.softplus(-I.a) + (1 - I.y) * costs.softplus(I.a))],
         rows=rows_of("a"), stable="(2)", edges=1),
    Task("cross_entropy_grad", {"da": "(4)"}, list(label_cases()), lambda I: costs.cross_entropy_grad(I.a, I.y), [
        exchanged("da", costs.cross_entropy_grad, "(4)"),
        Mistake("forgot the label", "da", "(4)", "This is sigmoid(a)/m, right for y = 0 only.",
                lambda I, r, g: costs.cross_entropy_grad(I.a, 0 * I.y)),
        Mistake("the slope by D, not by a", "da", "(3)", "This is dC/dD, with D = sigmoid(a).  We want dC/da, for "
                "which D's own slope cancels the denominator.", lambda I, r, g: r["da"] / slope_of_sigmoid(I)),
        Mistake("the sigmoid's slope once too often", "da", "(3)", "This multiplies by D (1 - D), as a squared error "
                "would.  The logarithm in the cost has cancelled that factor.",
                lambda I, r, g: r["da"] * slope_of_sigmoid(I)),
        Mistake("a in place of sigmoid(a)", "da", "(3)", "This is (a - y)/m; D = sigmoid(a) belongs there.",
                lambda I, r, g: (I.a - I.y) / len(I.a))],
         lambda f, I: ((costs.cross_entropy, f), I.a, I.y), rows=rows_of("a"), edges=1)],
    [costs.softplus, costs.cross_entropy, costs.cross_entropy_grad],
    "The slope is not tidied up all the way: 1 - sigmoid(a) loses its digits where a is large, sigmoid(-a) does not.")


# 5. Maxout

def maxout(I):
    width = I.z.shape[1]
    return built(layers.Maxout, width, width // I.num_pieces, I.num_pieces)


def maxout_bprop(I):
    layer = maxout(I)
    layer.fprop(I.z)
    return layer.bprop(I.dh)


def maxout_cases(*names):
    tied = np.array([[1., 2., 1., 0., 1., 2.], [0., 0., 3., 3., 3., -1.]])
    for seed, (z, U) in enumerate([(normal(1, 5, 12), 4), (normal(2, 4, 6), 3), (normal(3, 3, 9), 3), (tied, 2)]):
        given = {"dh": normal(10 + seed, len(z), U), "z": z, "num_pieces": z.shape[1] // U}
        yield {name: given[name] for name in names}


def pieces(I):
    """z as (m, num_pieces, U)."""
    return I.z.reshape(len(I.z), I.num_pieces, -1)


def side_by_side(z, I):
    """z as (m, num_pieces, U), but with the pieces of a unit in neighbouring columns."""
    return z.reshape(len(z), -1, I.num_pieces).transpose(0, 2, 1)


def wins(z):
    return np.arange(z.shape[1])[:, None] == z.argmax(axis=1)[:, None]


def to_the_wrong_piece(I, r, g):
    """Any answer that gives a unit's gradient to one piece, whichever it is, and not always the winner."""
    dz = np.asarray(g["dz"])
    if dz.shape != I.z.shape:
        return r["dz"]
    dz = dz.reshape(pieces(I).shape)
    losers = (dz != 0) & (pieces(I) < pieces(I).max(axis=1, keepdims=True))
    one = losers.any() and (dz != 0).sum(axis=1).max() == 1 and np.allclose(dz.sum(axis=1), I.dh)
    return g["dz"] if one else r["dz"]


LAYOUT = ("This takes the pieces of a unit from neighbouring columns, u num_pieces + p.  Here piece p of unit u is in "
          "column p U + u: reshape to (m, num_pieces, U).")
MAXOUT = Exercise("ex05_maxout", "maxout", [
    Task("maxout_fprop", {"h": "(2)"}, list(maxout_cases("z", "num_pieces")), lambda I: maxout(I).fprop(I.z), [
        Mistake("another layout", "h", "(1)", LAYOUT, lambda I, r, g: side_by_side(I.z, I).max(axis=1)),
        Mistake("the smallest piece", "h", "(2)", "This is the least of the pieces.",
                lambda I, r, g: pieces(I).min(axis=1)),
        Mistake("the sum of the pieces", "h", "(2)", "Of the pieces only the largest shows.",
                lambda I, r, g: pieces(I).sum(axis=1)),
        Mistake("the maximum over the units", "h", "(2)", "The maximum is over p, the pieces of one unit, axis 1 of "
                "(m, num_pieces, U).", lambda I, r, g: pieces(I).max(axis=2))]),
    Task("maxout_bprop", {"dz": "(4)"}, list(maxout_cases("dh", "z", "num_pieces")), maxout_bprop, [
        Mistake("another layout", "dz", "(1)", LAYOUT, lambda I, r, g: (
            I.dh[:, None] * wins(side_by_side(I.z, I))).transpose(0, 2, 1).reshape(I.z.shape)),
        Mistake("another layout", "dz", "(1)", "The winners are right, but come out in another order: column p U + u "
                "is for piece p of unit u.  A transposition too many, or one too few?",
                lambda I, r, g: (I.dh[:, None] * wins(pieces(I))).transpose(0, 2, 1).reshape(I.z.shape)),
        Mistake("gradient to every piece", "dz", "(3)", "All pieces of a unit get its dh.  Only the winner moves h; "
                "the others get 0.", lambda I, r, g: (I.dh[:, None] + 0 * pieces(I)).reshape(I.z.shape)),
        Mistake("gradient to every tied piece", "dz", "(3)", "Where pieces tie, each gets all of dh, which is then "
                "there twice.  One of them is the winner: argmax finds one, == finds all.",
                lambda I, r, g: (I.dh[:, None] * (pieces(I) == pieces(I).max(axis=1, keepdims=True))).reshape(
                    I.z.shape)),
        Mistake("gradient shared out", "dz", "(3)", "Each piece gets an equal part of dh.  The winner gets all of it.",
                lambda I, r, g: (I.dh[:, None] + 0 * pieces(I)).reshape(I.z.shape) / I.num_pieces),
        Mistake("the value in place of the slope", "dz", "(3)", "This multiplies dh by h; the winner's slope is 1.",
                lambda I, r, g: r["dz"] * I.z),
        Mistake("gradient to the wrong piece", "dz", "(3)", "One piece of each unit gets its dh, but not the one that "
                "was the largest in that row.", to_the_wrong_piece)],
        lambda f, I: (Passes(lambda z: pieces(SimpleNamespace(z=z, num_pieces=I.num_pieces)).max(axis=1),
                             lambda dh, z: f(dh, z, I.num_pieces)), I.z), "dh", rows=rows_of("dh"), edges=1)],
    [layers.Maxout.fprop, layers.Maxout.bprop],
    "Piece by piece is faster than all at once; undecided sees to it that the earliest of tied pieces wins.")


# 6. Dropout

class GivenMask(RandomStream):
    """A stream that draws the mask it was given."""

    def __init__(self, mask):
        super().__init__(0)
        self.given = mask

    def mask(self, include_prob, shape):
        return self.given


def dropout(I):
    return layers.Dropout(I.include_prob, rng=GivenMask(I.mask))


def dropout_bprop(I):
    layer = dropout(I)
    layer.dropout_fprop(I.dh)
    return layer.bprop(I.dh)


def dropout_cases(name):
    for seed, (shape, p) in ((1, ((5, 4), .8)), (2, ((4, 4), .4))):
        mask = np.arange(shape[0] * shape[1]).reshape(shape) * 7 % 10 < 10 * p
        yield {name: normal(seed, *shape), "mask": mask, "include_prob": p}


def dropout_mistakes(name, output, first, line):
    def times(factor):
        return lambda I, r, g: getattr(I, name) * factor(I.mask, I.include_prob)

    return [Mistake("missing mask", output, first, f"This is {name} as it came: no unit is dropped.",
                    times(lambda mask, p: 1.)),
            Mistake("missing mask", output, first, f"This is {name}/p everywhere: no unit is dropped.",
                    times(lambda mask, p: 1 / p)),
            Mistake("missing 1/p", output, line, "What is kept is to be enlarged by 1/p.", times(lambda mask, p: mask)),
            Mistake("p in place of 1/p", output, line, "What is kept is multiplied by p; it is to be divided by it.",
                    times(lambda mask, p: mask * p)),
            Mistake("1 - p in place of p", output, line, "p = include_prob is the chance of keeping a unit; this "
                    "divides by the chance of dropping it.", times(lambda mask, p: mask / (1 - p))),
            Mistake("1/p twice", output, line, "What is kept is divided by p^2.", times(lambda mask, p: mask / p ** 2)),
            Mistake("the mask the wrong way round", output, first, "Units where the mask is True are dropped, the "
                    "others kept.", times(lambda mask, p: ~mask / p))]


DROPOUT = Exercise("ex06_dropout", "dropout", [
    Task("dropout_fprop", {"h": "(1)"}, list(dropout_cases("s")), lambda I: dropout(I).dropout_fprop(I.s),
         dropout_mistakes("s", "h", "(1)", "(1)")),
    Task("dropout_bprop", {"ds": "(3)"}, list(dropout_cases("dh")), dropout_bprop,
         dropout_mistakes("dh", "ds", "(3)", "(2)"),
         lambda f, I: (Passes(lambda s: s * I.mask / I.include_prob, lambda dh, s: f(dh, I.mask, I.include_prob)),
                       I.dh + 1), "dh", rows=rows_of("dh"))],
    [layers.Dropout.dropout_fprop, layers.Dropout.bprop],
    "Mask and 1/p are one factor, drawn in the forward pass and kept for the backward one.")
