"""
One net for all conditionals p(x_S | x_rest) of pictures x, for any set S of pixels (Section 7, extension 3).

A mask is 1 for the given pixels and 0 for the pixels of S.
"""
import math
from copy import copy

from npgan import backend
from npgan.backend import xp
from npgan.checks import check_shape
from npgan.section7.conditional import ConditionalGenerator, split


def right_half(rng, m, shape):
    """
    Return the masks of the authors' inpainting: the right half of the columns, floor(w / 2) of them, is missing.

    Parameters
    ----------
    rng : RandomStream
        Not used; the functions for other masks draw from it.
    m : int
        The number of masks.
    shape : (h, w)
        The shape of a picture.

    Returns
    -------
    array (m, h w) of 0 and 1
    """
    h, w = shape
    return backend.asarray(xp.broadcast_to(xp.tile(xp.arange(w) < w - w // 2, h), (m, h * w)))


def quadrants(rng, m, shape):
    """
    Return masks that give each quadrant of a picture with probability 1/2.

    `rng`, `m`, `shape` and the returned array are as in `right_half`.
    """
    h, w = shape
    quadrant = 2 * (xp.arange(h) >= h - h // 2)[:, None] + (xp.arange(w) >= w - w // 2)
    return backend.asarray(rng.mask(.5, (m, 4))[:, quadrant.ravel()])


def pixels(rng, m, shape):
    """
    Return masks that give each pixel with the same probability, drawn for each picture from U(0, 1).

    `rng`, `m`, `shape` and the returned array are as in `right_half`.
    """
    return backend.asarray(rng.uniform(0, 1, (m, math.prod(shape))) < rng.uniform(0, 1, (m, 1)))


def quadrants_and_pixels(rng, m, shape):
    """Return masks of either kind, each with probability 1/2; `rng`, `m` and `shape` are as in `right_half`."""
    return xp.where(rng.mask(.5, (m, 1)), quadrants(rng, m, shape), pixels(rng, m, shape))


MASKS = {mask.__name__: mask for mask in (quadrants_and_pixels, quadrants, pixels, right_half)}


class CompletingGenerator(ConditionalGenerator):
    """
    G(z, x_rest, mask), a sampler of p(x_S | x_rest) for any S.

    Data rows are pictures x.  For each a new mask is drawn; G receives the given pixels and the mask, and fills in the
    other pixels:

        [x | mask], [z | x mask | mask] = with_noise(x)         fprop = [x mask + (1 - mask) h | mask]

    with h the net's output, so the given pixels stay bit-identical.  D judges the whole picture; its c is the mask.

    Parameters
    ----------
    mlp : MLP
        From [z | x mask | mask] to h.
    shape : (h, w)
        The shape of a picture.
    masks : "quadrants_and_pixels", "quadrants", "pixels" or "right_half"
        The kind of masks; `right_half` is the authors' inpainting, in which G's input had noise in the missing half.
    noise, rng
        As in `Generator`; the stream draws masks as well.
    """

    argument_names = ("shape", "masks")

    def __init__(self, mlp, shape, masks="quadrants_and_pixels", noise="uniform", rng=None):
        if masks not in MASKS:
            raise ValueError(f"masks must be one of {', '.join(MASKS)}, got {masks!r}")
        self.shape, self.masks = check_shape("shape", shape, "rows", "columns"), masks
        super().__init__(mlp, 2 * math.prod(self.shape), noise, rng)
        if mlp.dim != math.prod(self.shape):
            raise ValueError(f"mlp must have {shape[0]} x {shape[1]} outputs, a picture, got {mlp.dim}")

    @property
    def data_dim(self):
        return self.mlp.dim

    @property
    def dim(self):
        return 2 * self.mlp.dim

    def with_noise(self, x):
        """Return [x | mask] for pictures `x`, with masks drawn at random, and the inputs of G for them."""
        return self.masked(x, MASKS[self.masks](self.rng, len(x), self.shape))

    def masked(self, x, mask):
        """
        Return the rows that D judges and the inputs of G, for pictures and the masks of their given pixels.

        Parameters
        ----------
        x : array (m, mlp.dim)
            Pictures; may be NaN where `mask` is 0.
        mask : array (m, mlp.dim) or (mlp.dim,)
            1 where a pixel is given, 0 elsewhere.

        Returns
        -------
        array (m, 2 mlp.dim)
            [x | mask].
        array (m, nz + 2 mlp.dim)
            [z | x mask | mask].
        """
        if x.ndim != 2 or mask.shape not in (x.shape, x.shape[1:]):
            raise ValueError(f"a mask must have the shape of x, {x.shape}, or of one row of it, got shape {mask.shape}")
        if not ((mask == 0) | (mask == 1)).all():
            raise ValueError("a mask must be 1 where a pixel is given and 0 elsewhere, got other numbers")
        mask = backend.asarray(xp.broadcast_to(mask, x.shape))
        z = self.noise(len(x))
        return xp.concatenate([x, mask], axis=1), xp.concatenate([z, xp.where(mask > 0, x, 0), mask], axis=1)

    def fprop(self, z):
        known, self.mask = split(split(z, self.ncond)[1], self.mlp.dim)
        self.h = self.mlp.fprop(z)
        return xp.concatenate([known + (1 - self.mask) * self.h, self.mask], axis=1)

    def bprop(self, dx, params=True, inputs=True):
        """Run the backward pass from `dx`, dC/d[completed x | mask]; `params` and `inputs` as in `Layer.bprop`."""
        dx, dmask = split(dx, self.mlp.dim)
        dz = self.mlp.bprop(dx * (1 - self.mask), params, inputs)
        if inputs is not False:
            dz[:, self.nz:] += xp.concatenate([dx, dmask - dx * self.h], axis=1)
        return dz

    def complete(self, x, mask):
        """Return the pictures `x` (m, dim) with the pixels where `mask` is 0 drawn by G; see `masked`."""
        _, inputs = self.masked(x, mask)
        return split(copy(self).fprop(inputs), self.mlp.dim)[0]

    def __repr__(self):
        return f"CompletingGenerator({self.mlp!r}, shape={self.shape}, masks={self.masks!r}, noise={self.prior!r})"
