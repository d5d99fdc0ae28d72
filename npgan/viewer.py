"""
Pictures: grids of patches as Pylearn2 draws them, the layout of Figure 2, curves of a training run, and their files.

Pictures are drawn in NumPy and written with matplotlib, which no other room imports.  A user's matplotlib settings
never change them: ``image.origin: lower`` would draw them upside down.  Everything is therefore drawn under `STYLE`.
"""
import math
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.image import imsave

from npgan import backend
from npgan.backend import to_numpy
from npgan.files import replacing
from npgan.neighbours import nearest

PAD = 5                                     # grey pixels around each patch
SIDE = 28                                   # patches smaller than this are enlarged
YELLOW = 1, 1, 0
LINES = [("#000000", "-"), ("#D55E00", "--"), ("#0072B2", "-."), ("#E69F00", ":")]      # apart in black and white too
FORMATS = "png", "pdf", "svg"
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
STYLE = ["default", {"svg.hashsalt": "npgan"}]      # matplotlib's own settings; the same names in each SVG file


def square_ish(n):
    """Return the rows and columns of a grid for `n` patches: floor(sqrt(n)) rows, and as few columns as possible."""
    if n < 1:
        raise ValueError(f"a grid needs at least one patch, got {n}")
    rows = math.isqrt(n)
    return rows, -(-n // rows)


def grid(patches, rows, cols, activations=None, rescale=False):
    """
    Draw patches side by side, left to right and top to bottom, on mid-grey with 5 pixels between them.

    A value v is drawn as (v + 1)/2, so 0 is grey.  Pixels of patches below 28x28 become squares of whole pixels.

    Parameters
    ----------
    patches : array_like (n, h, w) or (n, h, w, 3), in [-1, 1]
        Grey or in colour, n at most rows * cols.
    rows, cols : int
        Size of the grid, in patches.
    activations : array_like (n,), optional
        1 puts a yellow border of one pixel around a patch, 0 does not.
    rescale : bool
        Divide each patch by its own largest magnitude first.

    Returns
    -------
    numpy array (height, width, 3), in [0, 1]

    Raises
    ------
    ValueError
        If the patches have another shape or range, or the grid has too few places.
    """
    patches = np.asarray(to_numpy(patches, "patches"), float)
    if patches.ndim not in (3, 4) or patches.shape[3:] not in ((), (3,)) or patches.size == 0:
        raise ValueError(f"patches must be (n, h, w) or (n, h, w, 3), none of them 0, got the shape {patches.shape}")
    n = len(patches)
    if n > rows * cols:
        raise ValueError(f"a grid of {rows} x {cols} holds {rows * cols} patches, got {n}; see square_ish")
    marked = np.zeros(n, bool) if activations is None else np.asarray(to_numpy(activations, "activations"), bool)
    if marked.shape != (n,):
        raise ValueError(f"activations must be one for each of the {n} patches, got the shape {marked.shape}")

    patches = patches.reshape(*patches.shape[:3], -1)
    if rescale:
        largest = np.abs(patches).max(axis=(1, 2, 3), keepdims=True)
        patches = patches / np.where(largest > 0, largest, 1)
    if not np.abs(patches).max() <= 1:
        raise ValueError(f"patches must lie in [-1, 1], got {patches.min():g} to {patches.max():g}; "
                         "draw data in [0, 1] as 2 * v - 1, others with rescale=True")
    times = -(-SIDE // max(patches.shape[1:3]))
    patches = (patches.repeat(times, axis=1).repeat(times, axis=2) + 1) / 2

    h, w = patches.shape[1:3]
    picture = np.full((rows * (h + PAD) + PAD, cols * (w + PAD) + PAD, 3), .5)
    for i, patch in enumerate(patches):
        top, left = PAD + i // cols * (h + PAD), PAD + i % cols * (w + PAD)
        if marked[i]:
            picture[top - 1:top + h + 1, left - 1:left + w + 1] = YELLOW
        picture[top:top + h, left:left + w] = patch
    return picture


def nearest_sheet(samples, X, shape, rows=4, cols=6):
    """
    Draw Figure 2: in each row some samples, then, with a yellow border, the training row nearest to the last of them.

    Data without negative values are drawn as 2v - 1.  Others are divided by the largest magnitude over the samples, as
    by the authors; a training row with a larger magnitude is divided by its own, and so keeps its colours.

    Parameters
    ----------
    samples : array_like (rows * (cols - 1), d)
        Fair draws of the generator.
    X : array_like (N, d)
        The training rows, in the same representation.
    shape : tuple of int
        The shape of a row's picture: (h, w); (h, w, 3), or (3, h, w) for three planes.
    rows, cols : int
        Size of the sheet, in patches.

    Returns
    -------
    numpy array (height, width, 3), in [0, 1]

    Raises
    ------
    ValueError
        If the number of samples or their size is wrong.
    """
    samples, X = backend.asarray(samples, name="samples"), backend.asarray(X, name="X")
    if samples.shape != (rows * (cols - 1), X.shape[1]):
        raise ValueError(f"a sheet of {rows} x {cols} takes samples of shape {(rows * (cols - 1), X.shape[1])}, "
                         f"got {samples.shape}")
    if math.prod(shape) != X.shape[1]:
        raise ValueError(f"shape must hold the {X.shape[1]} values of a row, got {shape}")
    matches = to_numpy(X[nearest(samples[cols - 2::cols - 1], X)])
    samples = to_numpy(samples)
    if X.min() < 0:
        largest = np.abs(samples).max() or 1
        samples = samples / largest
        matches = matches / np.maximum(np.abs(matches).max(axis=1, keepdims=True), largest)
    else:
        samples, matches = 2 * samples - 1, 2 * matches - 1
    sheet = np.concatenate([samples.reshape(rows, cols - 1, -1), matches[:, None]], axis=1)
    sheet = sheet.reshape(rows * cols, *shape)
    if sheet.ndim == 4 and sheet.shape[3] != 3:
        sheet = np.moveaxis(sheet, 1, 3)
    return grid(sheet, rows, cols, activations=np.arange(rows * cols) % cols == cols - 1)


def curves(ax, epochs, channels, ylabel):
    """
    Plot monitoring channels against epochs; the lines differ in colour, darkness and dashes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    epochs : array_like (n,)
    channels : dict of str to array_like
        One to four channels by their labels in the legend, each of n values, or fewer if it ended early.
    ylabel : str

    Raises
    ------
    ValueError
        If there is no channel, or more than four, or one is longer than `epochs`.
    """
    if not 1 <= len(channels) <= len(LINES):
        raise ValueError(f"channels must be 1 to {len(LINES)}, got {len(channels)}")
    for label, values in channels.items():
        if len(values) > len(epochs):
            raise ValueError(f"{label} has more values, {len(values)}, than there are epochs, {len(epochs)}")
    with style.context(STYLE):
        for (label, values), (color, dashes) in zip(channels.items(), LINES):
            ax.plot(epochs[:len(values)], values, label=label, color=color, linestyle=dashes, linewidth=1.8)
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylabel(ylabel)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderaxespad=.2, frameon=False)


def training_figure(sheet, epochs, outputs, objectives):
    """
    Draw a run: the sheet of samples on the left, the discriminator's outputs and the objectives on the right.

    Parameters
    ----------
    sheet : array (height, width, 3), in [0, 1]
        From `nearest_sheet`.
    epochs : array_like (n,)
    outputs : dict of str to array_like (n,), in [0, 1]
        The mean of D over data and over samples.  A thin line marks 1/2, the value of D if p_g = p_data (Section 4.1).
    objectives : dict of str to array_like (n,)
        The objectives of both players, in nats per example.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style.context(STYLE):
        figure = Figure(figsize=(10, 4.5), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
        ax = left.subplots()
        ax.imshow(sheet, interpolation="nearest")
        ax.set_axis_off()
        ax.set_title("samples; in yellow, the training example\nnearest to the sample on its left")

        top, bottom = right.subplots(2, 1, sharex=True)
        top.axhline(.5, color="#AAAAAA", linewidth=.8)
        curves(top, epochs, outputs, "mean output of D")
        top.set_yticks([0, .5, 1], ["0", "1/2", "1"])
        top.set_xlabel(None)
        curves(bottom, epochs, objectives, "objective (nats)")
    return figure


def save(path, picture):
    """
    Write a picture or a figure into a file, whole or not at all.

    Parameters
    ----------
    path : path
        Ends in .png, .pdf or .svg.
    picture : array (height, width, 3), in [0, 1], or matplotlib.figure.Figure
        An array is written pixel by pixel; each pixel of a small one becomes a square of several.

    Raises
    ------
    ValueError
        For another ending.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    if not isinstance(picture, Figure):
        picture = to_numpy(picture, "picture")
    if kind not in FORMATS:
        raise ValueError(f"a picture's name must end in .{', .'.join(FORMATS)}, got {str(path)!r}")
    try:
        with replacing(path) as stream, style.context(STYLE):
            if isinstance(picture, Figure):
                picture.savefig(stream, format=kind, dpi=150, metadata=UNDATED.get(kind))
            else:
                times = max(1, 640 // max(picture.shape))
                imsave(stream, picture.repeat(times, axis=0).repeat(times, axis=1), format=kind,
                       metadata=UNDATED.get(kind))
    except OSError as error:
        raise OSError(f"cannot write the picture {path} ({error.strerror or error}); "
                      "choose a folder that exists and can be written to") from error
