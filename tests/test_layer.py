"""What every layer promises, and every net of layers, which is a layer too."""
import numpy as np
import pytest
from differences import central_difference, small_discriminator
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend
from npgan.backend import RandomStream, to_numpy, xp
from npgan.conv import Deconv, MaxoutConv
from npgan.layer import Layer
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP
from npgan.transpose import Transpose

LAYERS = {
    "linear": lambda rng: Linear(4, 3, 1., rng, init_bias=rng.normal((3,))),
    "rectifier": lambda rng: RectifiedLinear(4, 3, 1., rng, init_bias=rng.normal((3,))),
    "leaky rectifier": lambda rng: RectifiedLinear(4, 3, 1., rng, left_slope=.1),
    "sigmoid": lambda rng: Sigmoid(4, 3, 1., rng, init_bias=rng.normal((3,))),
    "maxout of 1": lambda rng: Maxout(4, 3, 1, 1., rng),
    "maxout of 2": lambda rng: Maxout(4, 3, 2, 1., rng, init_bias=rng.normal((6,))),
    "maxout of 5": lambda rng: Maxout(4, 3, 5, 1., rng),
    "dropout": lambda rng: Dropout(.5, rng=rng),
    "dropout of scale 3": lambda rng: Dropout(.8, 3., rng),
    "dropout of nothing": lambda rng: Dropout(1.),
    "convolution of 2 pieces": lambda rng: MaxoutConv((2, 2, 1), 2, 2, (2, 1), (2, 2), (1, 2), 1., rng, pad=1,
                                                      init_bias=rng.normal((3, 4, 4))),
    "convolution without pool": lambda rng: MaxoutConv((2, 1, 2), 3, 1, (1, 1), (1, 1), (1, 1), 1., rng, tied_b=True),
    "deconvolution": lambda rng: Deconv((1, 2, 2), 2, (2, 2), 1., rng, output_stride=(1, 2), init_bias=.5),
    "deconvolution of tied bias": lambda rng: Deconv((2, 2, 1), 2, (3, 3), 1., rng, pad_out=1, tied_b=True),
    "another order": lambda rng: Transpose((1, 2, 2), (2, 0, 1)),
    "net of one": lambda rng: MLP([Linear(4, 2, 1., rng)]),
    "net with dropout between": lambda rng: MLP([RectifiedLinear(4, 5, 1., rng), Dropout(.5, rng=rng),
                                                 Sigmoid(5, 2, 1., rng)]),
    "net with dropout below": lambda rng: small_discriminator(rng, .6),
    "net with dropout twice below": lambda rng: MLP([Dropout(.8, rng=rng), Dropout(.8, rng=rng),
                                                     Maxout(4, 3, 2, 1., rng, init_bias=rng.normal((6,)))]),
    "net with dropout above": lambda rng: MLP([Sigmoid(4, 5, 1., rng), Dropout(.5, rng=rng)]),
    "nets in a net": lambda rng: MLP([Dropout(.8, rng=rng), MLP([Dropout(.8, rng=rng), Sigmoid(4, 5, 1., rng)]),
                                      MLP([MLP([Linear(5, 3, 1., rng)]), Maxout(3, 2, 2, 1., rng)])]),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def layer_input_signal(make):
    """A layer, its input X (5, 4) and a gradient R of its output."""
    rng = RandomStream(2014)
    layer, X = make(rng), rng.normal((5, 4))
    return layer, X, rng.normal((5, layer.dim or 4))


class Replay:
    """The training pass of a layer, with the same masks every time."""

    def __init__(self, layer):
        self.layer = layer
        self.masks = [(stream, stream.state) for stream in layer.streams]

    def __call__(self, X):
        for stream, state in self.masks:
            stream.state = state
        return self.layer.dropout_fprop(X)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("training", [False, True])
@every_layer
def test_bprop_is_derivative_of_fprop(make, training):
    layer, X, R = layer_input_signal(make)                          # C = sum(R * h), so dC/dh = R
    fprop = Replay(layer) if training else layer.fprop
    fprop(X)
    dX = layer.bprop(R)
    for array, grad in zip([X] + layer.params, [dX] + layer.grads):
        numeric = central_difference(lambda: (R * fprop(X)).sum(), array)
        assert_allclose(to_numpy(grad), numeric, rtol=1e-6, atol=1e-8)


@every_layer
def test_bprop_gives_only_what_is_wanted(make):
    layer, X, R = layer_input_signal(make)
    fprop = Replay(layer)

    def bprop(**wanted):
        fprop(X)
        dX = layer.bprop(R, **wanted)
        return None if dX is None else to_numpy(dX), [to_numpy(grad).copy() for grad in layer.grads]

    dX, grads = bprop()
    some_rows, grads_beside = bprop(inputs=slice(2, 4))
    assert_allclose(some_rows[2:4], dX[2:4], rtol=1e-5, atol=1e-7)
    none, grads_alone = bprop(inputs=False)
    assert none is None
    for expected, *found in zip(grads, grads_beside, grads_alone):
        assert_array_equal(found, [expected, expected])

    for grad in layer.grads:
        grad[...] = 7
    dX_alone, untouched = bprop(params=False)
    assert_array_equal(dX_alone, dX)
    assert all((grad == 7).all() for grad in untouched)
    assert bprop(params=False, inputs=False)[0] is None


@every_layer
def test_arguments_and_parameters_are_left_alone(make):
    layer, X, R = layer_input_signal(make)
    arrays = [X, R] + layer.params
    before = [to_numpy(array).copy() for array in arrays]
    for fprop in layer.fprop, layer.dropout_fprop:
        fprop(X)
        layer.bprop(R)
        for array, copy in zip(arrays, before):
            assert_array_equal(to_numpy(array), copy)


@pytest.mark.parametrize("floatX", ["float32", "float64"])
@every_layer
def test_one_precision_throughout(make, floatX, monkeypatch):
    monkeypatch.setattr(backend, "floatX", floatX)
    layer, X, R = layer_input_signal(make)
    for array in [layer.fprop(X), layer.dropout_fprop(X), layer.bprop(R)] + layer.params + layer.grads:
        assert array.dtype == floatX


@every_layer
def test_bprop_answers_the_latest_fprop_once(make):
    layer, X, R = layer_input_signal(make)
    with pytest.raises(RuntimeError, match="none came"):
        layer.bprop(R)
    layer.fprop(X[:3])
    layer.dropout_fprop(X)
    layer.bprop(R)
    for wanted in ({}, {"params": False}, {"inputs": False}):
        with pytest.raises(RuntimeError, match="none came"):
            layer.bprop(R, **wanted)


@pytest.mark.parametrize("rows", [1, 4, 6])
@every_layer
def test_bprop_refuses_another_number_of_rows(make, rows):
    layer, X, R = layer_input_signal(make)
    layer.dropout_fprop(X)
    with pytest.raises(ValueError, match="latest fprop gave"):
        layer.bprop(RandomStream(1).normal((rows, R.shape[1])))
    layer.bprop(R)                                                  # and still answers the right one


@pytest.mark.parametrize("shape", [(5, 3), (5, 5), (4,), (0, 4), (5, 4, 1)])
@pytest.mark.parametrize("name", ["linear", "rectifier", "sigmoid", "maxout of 2", "convolution of 2 pieces",
                                  "deconvolution", "another order", "nets in a net"])
def test_fprop_refuses_another_shape(name, shape):
    with pytest.raises(ValueError, match=r"shape \(m, 4\)"):
        LAYERS[name](RandomStream(0)).fprop(RandomStream(1).normal(shape))


def test_fprop_refuses_a_list():
    with pytest.raises(TypeError, match=r"Linear\(.*\) takes a plain array, got a list; npgan.backend.asarray"):
        LAYERS["linear"](RandomStream(0)).fprop([[1., 2, 3, 4]])


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind, convert", [("matrix", np.asmatrix), ("MaskedArray", np.ma.masked_array)])
@pytest.mark.parametrize("name", ["linear", "maxout of 2", "dropout", "convolution of 2 pieces",
                                  "net with dropout below"])
def test_both_passes_refuse_arrays_that_compute_otherwise(name, kind, convert):
    """A product of two numpy.matrix is one of matrices: rows = units once gave wrong numbers without an error."""
    layer, X = LAYERS[name](RandomStream(0)), np.ones((4, 4), "float32")
    for fprop in layer.fprop, layer.dropout_fprop:
        with pytest.raises(TypeError, match=f"takes a plain array, got a {kind};"):
            fprop(convert(X))


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8"])
def test_fprop_refuses_another_precision(dtype):
    layer, X, _ = layer_input_signal(LAYERS["linear"])
    with pytest.raises(TypeError, match=f"computes in float32, got {dtype}.*asarray"):
        layer.fprop(xp.abs(X).astype(dtype))


def test_an_error_names_the_layer():
    layer = Maxout(4, 3, 2, .1, RandomStream(0), max_col_norm=1.9)
    with pytest.raises(ValueError, match=r"Maxout\(nvis=4, num_units=3, num_pieces=2, max_col_norm=1.9\) takes"):
        layer.fprop(RandomStream(1).normal((2, 3)))


def test_a_layer_must_define_its_passes():
    for unwritten in Layer().fprop, Layer().dropout_fprop, Layer().bprop:
        with pytest.raises(TypeError, match="a layer defines fprop"):
            unwritten(None)


@pytest.mark.parametrize("wrong, message", [
    (lambda rng: Linear(0, 3, .1, rng), "nvis must be a whole number >= 1, got 0"),
    (lambda rng: Linear(4, -1, .1, rng), "dim must be a whole number >= 1, got -1"),
    (lambda rng: Linear(4, 2.5, .1, rng), "dim must be a whole number >= 1, got 2.5"),
    (lambda rng: Linear("4", 2, .1, rng), "nvis must be a whole number >= 1, got '4'"),
    (lambda rng: Maxout(4, 0, 2, .1, rng), "num_units must be a whole number >= 1, got 0"),
    (lambda rng: Maxout(4, 3, 0, .1, rng), "num_pieces must be a whole number >= 1, got 0")])
def test_bad_sizes(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(RandomStream(0))


def test_sizes_may_be_numpy_integers():
    assert Linear(np.int64(4), np.prod((1, 3)), .1, RandomStream(0)).W.shape == (4, 3)


@every_layer
@pytest.mark.parametrize("value", [1e30, -1e30, 1e-45, -1e-40, 0.])
@pytest.mark.parametrize("rows", [1, 5])
def test_extreme_states_have_finite_outputs_and_gradients(make, value, rows):
    """In single precision, with dropout; 1e30 is near the end of its range, 1e-45 its smallest number."""
    layer, X, R = layer_input_signal(make)
    X = X[:rows] * 0 + backend.asarray(value)
    for forward in layer.fprop, layer.dropout_fprop:
        h = forward(X)
        assert np.isfinite(to_numpy(h)).all()
        assert np.isfinite(to_numpy(layer.bprop(R[:rows] * 1e-3))).all()
        assert all(np.isfinite(to_numpy(grad)).all() for grad in layer.grads)


@every_layer
def test_no_rows_are_refused_or_kept(make):
    layer, X, R = layer_input_signal(make)
    for forward in layer.fprop, layer.dropout_fprop:
        if isinstance(layer, Dropout):
            assert forward(X[:0]).shape == (0, 4)
            continue
        with pytest.raises(ValueError, match="one or more rows"):
            forward(X[:0])
