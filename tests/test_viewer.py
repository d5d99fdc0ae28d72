"""Pictures: where each patch, border and line goes, and what becomes of files that cannot be written."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from npgan import neighbours, viewer
from npgan.backend import RandomStream, to_numpy, xp
from npgan.datasets import digits


@given(st.integers(1, 10**6))
def test_square_ish_is_the_floor_of_the_root_and_no_wider_than_needed(n):
    rows, cols = viewer.square_ish(n)
    assert rows**2 <= n < (rows + 1)**2
    assert rows * (cols - 1) < n <= rows * cols


def test_square_ish_of_nothing():
    with pytest.raises(ValueError, match="at least one patch, got 0"):
        viewer.square_ish(0)


def test_grid_puts_patches_on_grey():
    patches = np.array([-1, -.5, 0, .5, 1])[:, None, None] * np.ones((28, 30))
    picture = viewer.grid(patches, rows=2, cols=3)
    assert picture.shape == (5 + 28 + 5 + 28 + 5, 5 + 30 + 5 + 30 + 5 + 30 + 5, 3)
    for value, (top, left) in zip([0, .25, .5, .75, 1], [(5, 5), (5, 40), (5, 75), (38, 5), (38, 40)]):
        assert (picture[top:top + 28, left:left + 30] == value).all()
        picture[top:top + 28, left:left + 30] = .5
    assert (picture == .5).all()                                    # padding, and the place left over


def test_activation_is_a_yellow_border_of_one_pixel():
    picture = viewer.grid(np.zeros((2, 28, 28)), 1, 2, activations=[0, 1])
    yellow = (picture == [1, 1, 0]).all(axis=2)
    assert yellow.sum() == 30**2 - 28**2
    assert yellow[4, 37:67].all() and yellow[33, 37:67].all() and yellow[4:34, 37].all() and yellow[4:34, 66].all()
    assert (picture[~yellow] == .5).all()


def test_small_patches_grow_to_squares_of_whole_pixels():
    patch = np.linspace(-1, 1, 64).reshape(8, 8)
    picture = viewer.grid(patch[None], 1, 1)
    assert picture.shape == (42, 42, 3)
    assert_allclose(picture[5:37, 5:37, 0], np.kron((patch + 1) / 2, np.ones((4, 4))), rtol=1e-12)


def test_rescale_is_by_each_patch():
    patches = np.zeros((3, 28, 28))
    patches[0, 0, 0], patches[1, 0, 0] = 10, -.25
    picture = viewer.grid(patches, 1, 3, rescale=True)
    assert [picture[5, left, 0] for left in (5, 38, 71)] == [1, 0, .5]


def test_grid_in_colour():
    patch = np.full((1, 28, 28, 3), [1., -1., 0.])
    assert (viewer.grid(patch, 1, 1)[5:-5, 5:-5] == [1, 0, .5]).all()


@pytest.mark.parametrize("patches, options, message", [
    (np.zeros((3, 4, 4)), {}, "holds 2 patches, got 3"),
    (np.zeros((4, 4)), {}, r"got the shape \(4, 4\)"),
    (np.zeros((0, 4, 4)), {}, r"got the shape \(0, 4, 4\)"),
    (np.zeros((1, 4, 4, 2)), {}, r"got the shape \(1, 4, 4, 2\)"),
    (np.full((1, 4, 4), 1.5), {}, r"\[-1, 1\], got 1.5 to 1.5"),
    (np.full((1, 4, 4), np.nan), {}, "got nan"),
    (np.zeros((2, 4, 4)), {"activations": [1]}, r"each of the 2 patches, got the shape \(1,\)"),
])
def test_grid_refuses(patches, options, message):
    with pytest.raises(ValueError, match=message):
        viewer.grid(patches, 1, 2, **options)


def test_nearest_is_the_smallest_distance():
    rng = RandomStream(2014)
    samples, X = rng.normal((7, 5)), rng.normal((2500, 5)) + 1000   # far from 0, where the terms cancel
    samples += 1000
    distances = cdist(to_numpy(samples).astype(float), to_numpy(X).astype(float))
    assert_array_equal(to_numpy(neighbours.nearest(samples, X)), distances.argmin(axis=1))
    assert_array_equal(to_numpy(neighbours.nearest(X[995:1005], X)), np.arange(995, 1005))


def test_nearest_takes_the_first_of_equals():
    assert neighbours.nearest(np.ones((1, 2)), np.array([[5., 5.], [2., 1.], [1., 2.]])).tolist() == [1]


def test_sheet_is_figure_2():
    train = digits.load("train")
    rows = np.arange(20) * 50
    sheet = viewer.nearest_sheet(train.X[xp.asarray(rows)], train.X, train.shape)
    patches = sheet[5:, 5:].reshape(4, 37, 6, 37, 3).swapaxes(1, 2)[:, :, :32:4, :32:4, 0]
    assert sheet.shape == (4 * 37 + 5, 6 * 37 + 5, 3)
    assert_allclose(patches[:, :5].reshape(20, 64), to_numpy(train.X)[rows], rtol=1e-6)
    assert_array_equal(patches[:, 5], patches[:, 4])                # a training row is nearest to itself
    yellow = (sheet == [1, 1, 0]).all(axis=2)
    assert yellow.sum() == 4 * (34**2 - 32**2) and not yellow[:, :5 * 37].any()


def test_sheet_of_lists_and_tables():
    pandas = pytest.importorskip("pandas")
    samples, X = np.linspace(0, 1, 8).reshape(2, 4), np.eye(4)
    expected = viewer.nearest_sheet(samples, X, (2, 2), rows=2, cols=2)
    assert_array_equal(viewer.nearest_sheet(samples.tolist(), pandas.DataFrame(X), (2, 2), rows=2, cols=2), expected)
    with pytest.raises(TypeError, match="samples must be real numbers, got a masked array"):
        viewer.nearest_sheet(np.ma.array(samples), X, (2, 2), rows=2, cols=2)
    with pytest.raises(TypeError, match="patches must be real numbers, got complex numbers"):
        viewer.grid(np.zeros((1, 4, 4), complex), 1, 1)


def test_sheet_of_normalised_colour_planes_is_scaled_by_the_samples():
    red, green, blue = np.zeros((3, 3, 30, 30))
    red[0, :15], green[1], blue[2] = 2, -1, 8                       # the upper half red
    X = np.stack([red, green, blue]).reshape(3, -1)
    samples = np.stack([red, green, blue / 2]).reshape(3, -1)
    sheet = viewer.nearest_sheet(xp.asarray(samples), xp.asarray(X), (3, 30, 30), rows=3, cols=2)
    colours = [sheet[top, left].tolist() for top in (5, 40, 75) for left in (5, 40)]
    assert colours[:2] == [[.75, .5, .5]] * 2                       # 2 of the samples' largest, 4
    assert sheet[5, 34].tolist() == [.75, .5, .5] and sheet[34, 5].tolist() == [.5, .5, .5]
    assert colours[2:4] == [[.5, .375, .5]] * 2
    assert colours[4:] == [[.5, .5, 1]] * 2


def test_a_match_brighter_than_all_samples_keeps_its_colours():
    """Divided by the samples' largest magnitude, 1, and clipped, the pixel (2, 8, -4) became (1, 1, -1)."""
    X = np.tile([2., 8., -4.], 4)[None]
    sheet = viewer.nearest_sheet(np.ones((1, 12)), X, (2, 2, 3), rows=1, cols=2)
    assert_allclose(sheet[5, 40], [(1 + .25) / 2, 1, (1 - .5) / 2])
    assert sheet[5, 5].tolist() == [1, 1, 1]


@pytest.mark.parametrize("samples, shape, message", [
    ((19, 64), (8, 8), r"takes samples of shape \(20, 64\), got \(19, 64\)"),
    ((20, 63), (8, 8), r"got \(20, 63\)"),
    ((20, 64), (8, 7), r"64 values of a row, got \(8, 7\)"),
])
def test_sheet_refuses(samples, shape, message):
    with pytest.raises(ValueError, match=message):
        viewer.nearest_sheet(np.zeros(samples), np.zeros((3, 64)), shape)


def test_lines_differ_without_colour():
    colours, dashes = zip(*viewer.LINES)
    darkness = np.sort([np.dot(to_rgb(colour), [.299, .587, .114]) for colour in colours])
    assert len(set(dashes)) == len(dashes) and np.diff(darkness).min() > .08


def test_curves_show_the_channels():
    ax = Figure().subplots()
    viewer.curves(ax, [0, 1, 2], {"D(x)": [.5, .75, 1], "D(G(z))": [.5, .25]}, "mean output of D")
    assert [line.get_xydata().T.tolist() for line in ax.lines] == [[[0, 1, 2], [.5, .75, 1]], [[0, 1], [.5, .25]]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["D(x)", "D(G(z))"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "mean output of D")


@pytest.mark.parametrize("channels, message", [
    ({}, "1 to 4, got 0"), ({"D(x)": [1, 2, 3, 4]}, r"D\(x\) has more values, 4, than there are epochs, 3"),
])
def test_curves_refuse(channels, message):
    with pytest.raises(ValueError, match=message):
        viewer.curves(Figure().subplots(), [0, 1, 2], channels, "nats")


FALSIFYING = {"image.origin": "lower", "text.usetex": True, "savefig.transparent": True,
              "savefig.bbox": "tight", "savefig.facecolor": "black", "image.interpolation": "bicubic",
              "axes.facecolor": "gray", "text.color": "white", "lines.linestyle": ":", "axes.xmargin": .5,
              "svg.fonttype": "none", "font.size": 40, "axes.formatter.use_mathtext": True}


def test_pictures_do_not_depend_on_the_users_matplotlib_settings(tmp_path):
    """With ``image.origin: lower`` sheets were upside down; with ``text.usetex`` and no LaTeX there was no figure."""
    sheet = viewer.grid(np.random.RandomState(0).uniform(-1, 1, (24, 8, 8)), 4, 6)

    def written(folder):
        folder.mkdir()
        for kind in viewer.FORMATS:
            viewer.save(folder / f"sheet.{kind}", sheet)
            viewer.save(folder / f"figure.{kind}", viewer.training_figure(sheet, [0, 1], {"D(x)": [.5, .6]},
                                                                          {"D": [.69, .5], "G": [.69, 1]}))
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    expected = written(tmp_path / "plain")
    assert len(expected) == 6
    with rc_context(FALSIFYING):
        assert written(tmp_path / "theirs") == expected


@pytest.mark.parametrize("kind, start", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_save_writes_figures_and_pictures(kind, start, tmp_path):
    def sheet():
        return viewer.grid(np.zeros((24, 8, 8)), 4, 6)

    def figure():
        return viewer.training_figure(sheet(), [0, 1], {"D(x)": [.5, .6]}, {"D": [.69, .5], "G": [.69, 1]})

    for draw in (figure, sheet):
        viewer.save(tmp_path / f"x.{kind}", draw())
        written = (tmp_path / f"x.{kind}").read_bytes()
        viewer.save(tmp_path / f"x.{kind}", draw())
        assert written.startswith(start) and (tmp_path / f"x.{kind}").read_bytes() == written
        assert not re.search(rb"CreationDate|dc:date", written)
    assert len(list(tmp_path.iterdir())) == 1


def test_save_enlarges_small_pictures_pixel_by_pixel(tmp_path):
    picture = np.random.RandomState(2014).randint(256, size=(150, 200, 3)) / 255
    viewer.save(tmp_path / "x.PNG", picture)
    image = imread(tmp_path / "x.PNG")[:, :, :3]
    assert image.shape == (450, 600, 3)
    assert_allclose(image, np.kron(picture, np.ones((3, 3, 1))), atol=.5 / 255)


def test_save_refuses_an_unknown_ending(tmp_path):
    with pytest.raises(ValueError, match=r"must end in .png, .pdf, .svg, got '.*x.jpeg'"):
        viewer.save(tmp_path / "x.jpeg", np.zeros((9, 9, 3)))


def test_save_says_why_it_cannot_write(tmp_path):
    (tmp_path / "file").touch()
    for folder, reason in [("none", "No such file or directory"), ("file", "Not a directory")]:
        path = tmp_path / folder / "x.png"
        with pytest.raises(OSError, match=f"cannot write the picture {path} \\({reason}\\); choose a folder"):
            viewer.save(path, np.zeros((9, 9, 3)))


def test_save_that_fails_leaves_the_picture_before(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"before")
    with pytest.raises(ValueError):
        viewer.save(path, np.zeros((9, 9, 7)))
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]
