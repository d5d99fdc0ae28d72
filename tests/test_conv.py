"""Convolutional layers against PyTorch, dense layers and the laws of adjoints; test_plain.py has the loops."""

import numpy as np
import pytest
from differences import law
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend, checkpoint, conv
from npgan.adversarial import AdversaryPair, Generator, simultaneous_step
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.channels import measure
from npgan.checkpoint import description
from npgan.conv import Deconv, MaxoutConv
from npgan.costs import NonSaturating
from npgan.gradient_check import check
from npgan.kernels.patches import Correlation, MaxPool
from npgan.kernels.spectra import FourierCorrelation
from npgan.layers import Dropout, Linear, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.transpose import Transpose

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(params=["direct", "spectra"])
def way(request, monkeypatch):
    """Run the test twice: by patches, and by spectra where the stride is 1; two pictures at a time."""
    monkeypatch.setattr(conv, "EXAMPLES", 2)
    monkeypatch.setattr(conv, "choose_correlation", lambda shape, kernel_shape, stride, pad, n: (
        FourierCorrelation(shape, kernel_shape, pad) if request.param == "spectra" and stride == (1, 1) else
        Correlation(shape, kernel_shape, stride, pad)))


# Shapes: odd and even sides, one row only, margins wider than the kernel, overlapping and overhanging windows, strides.
CONVOLUTIONS = {
    "plain": (((4, 4, 1), 1, 1, (2, 2), (1, 1), (1, 1)), {}),
    "pieces": (((3, 4, 2), 2, 3, (2, 2), (1, 1), (1, 1)), {"pad": 1}),
    "windows overlap": (((6, 5, 1), 2, 1, (2, 2), (3, 2), (1, 1)), {}),
    "windows hang over": (((6, 7, 1), 1, 2, (2, 3), (2, 3), (2, 2)), {}),
    "one row": (((1, 7, 2), 2, 2, (1, 3), (1, 3), (1, 2)), {}),
    "one place": (((2, 3, 1), 1, 2, (2, 3), (1, 1), (1, 1)), {}),
    "margins wider than the kernel": (((2, 3, 1), 2, 1, (2, 1), (2, 2), (2, 2)), {"pad": 3}),
    "stride": (((7, 7, 1), 2, 2, (3, 3), (2, 2), (2, 2)), {"pad": 1, "kernel_stride": (2, 2)}),
    "patches hang over": (((6, 5, 2), 1, 2, (3, 2), (2, 2), (1, 1)), {"kernel_stride": (2, 2)}),
    "stride wider than the kernel": (((7, 6, 1), 2, 1, (2, 1), (2, 2), (2, 1)), {"kernel_stride": (3, 2)}),
}
DECONVOLUTIONS = {
    "plain": (((2, 3, 2), 2, (2, 2)), {}),
    "stride": (((2, 3, 2), 3, (5, 3)), {"output_stride": (3, 2)}),
    "gaps": (((3, 2, 1), 2, (2, 1)), {"output_stride": (3, 2)}),
    "margins cut off": (((3, 3, 2), 1, (4, 3)), {"output_stride": (2, 1), "pad_out": 1}),
}
every_convolution = pytest.mark.parametrize("arguments", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
every_deconvolution = pytest.mark.parametrize("arguments", DECONVOLUTIONS.values(), ids=DECONVOLUTIONS)


def layer_and_input(kind, arguments, m=3, **more):
    """Return a layer with weights and biases from N(0, 1), which leave no ties, and an input of m rows."""
    (positional, named), rng = arguments, RandomStream(2014)
    layer = kind(*positional, 1., rng, **named, **more)
    layer.b[...] = rng.normal(layer.b.shape)
    return layer, rng.normal((m, layer.nvis))


# Gradients

@every_convolution
def test_gradients_of_convolution(arguments, way):
    report = check(*layer_and_input(MaxoutConv, arguments), max_entries=12)
    assert report.ok, report


@every_deconvolution
def test_gradients_of_deconvolution(arguments, way):
    report = check(*layer_and_input(Deconv, arguments), max_entries=12)
    assert report.ok, report


@pytest.mark.parametrize("kind, arguments", [(MaxoutConv, CONVOLUTIONS["pieces"]), (MaxoutConv, CONVOLUTIONS["stride"]),
                                             (Deconv, DECONVOLUTIONS["stride"])])
def test_gradients_with_a_tied_bias(kind, arguments, way):
    report = check(*layer_and_input(kind, arguments, tied_b=True), max_entries=12)
    assert report.ok, report


# PyTorch

def leaves(torch, *arrays):
    """Return tensors of the arrays, for which `torch_gradients` computes gradients."""
    return [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in arrays]


def torch_gradients(torch, h, R, *tensors):
    """Return h and the gradients of sum(R h) with respect to the tensors, as NumPy arrays."""
    return [a.detach().numpy() for a in (h, *torch.autograd.grad((h * torch.from_numpy(R)).sum(), tensors))]


def planes(rows, shape):
    """Return rows of pictures (row, column, channel) as an array (m, channel, row, column)."""
    return np.ascontiguousarray(rows.reshape(-1, *shape).transpose(0, 3, 1, 2))


def pixels(planes):
    """Return an array (m, channel, row, column) as rows of pictures (row, column, channel)."""
    return planes.transpose(0, 2, 3, 1).reshape(len(planes), -1)


@pytest.mark.numpy_only
@every_convolution
def test_convolution_is_pytorchs(arguments, way):
    torch = pytest.importorskip("torch")
    (layer, X), F = layer_and_input(MaxoutConv, arguments), torch.nn.functional
    (rows, cols, channels), pad, n = layer.input_shape, layer.pad, layer.b.shape[2]
    R = RandomStream(1).normal((len(X), layer.dim))

    x, b, W = leaves(torch, planes(X, layer.input_shape), layer.b.transpose(2, 0, 1),
                     layer.W.reshape(*layer.kernel_shape, channels, n).transpose(3, 2, 0, 1))
    over = [-(side + 2 * pad - k) % t for side, k, t in zip((rows, cols), layer.kernel_shape, layer.kernel_stride)]
    z = F.conv2d(F.pad(x, (pad, pad + over[1], pad, pad + over[0])), W, stride=layer.kernel_stride) + b
    z = F.max_pool2d(z, layer.pool_shape, layer.pool_stride, ceil_mode=True)
    h = z.unflatten(1, (layer.num_channels, layer.num_pieces)).max(2).values
    h, dx, dW, db = torch_gradients(torch, h, planes(R, layer.output_shape), x, W, b)

    assert_allclose(layer.fprop(X), pixels(h), rtol=1e-10, atol=1e-10)
    assert_allclose(layer.bprop(R), pixels(dx), rtol=1e-10, atol=1e-10)
    assert_allclose(layer.dW, dW.transpose(2, 3, 1, 0).reshape(layer.W.shape), rtol=1e-10, atol=1e-10)
    assert_allclose(layer.db, db.transpose(1, 2, 0), rtol=1e-10, atol=1e-10)


@pytest.mark.numpy_only
@every_deconvolution
def test_deconvolution_is_pytorchs(arguments, way):
    torch = pytest.importorskip("torch")
    layer, X = layer_and_input(Deconv, arguments, tied_b=True)
    R = RandomStream(1).normal((len(X), layer.dim))
    x, b, W = leaves(torch, planes(X, layer.input_shape), layer.b,
                     layer.W.reshape(*layer.kernel_shape, layer.num_channels, -1).transpose(3, 2, 0, 1))
    h = torch.nn.functional.conv_transpose2d(x, W, b, layer.output_stride, layer.pad_out)
    h, dx, dW, db = torch_gradients(torch, h, planes(R, layer.output_shape), x, W, b)

    assert_allclose(layer.fprop(X), pixels(h), rtol=1e-10, atol=1e-10)
    assert_allclose(layer.bprop(R), pixels(dx), rtol=1e-10, atol=1e-10)
    assert_allclose(layer.dW, dW.transpose(2, 3, 1, 0).reshape(layer.W.shape), rtol=1e-10, atol=1e-10)
    assert_allclose(layer.db, db, rtol=1e-10, atol=1e-10)


@pytest.mark.numpy_only
@pytest.mark.parametrize("shape, n, pieces, kernel, pool, pad", [
    ((32, 32, 3), 32, 2, 8, 4, 4), ((16, 16, 32), 32, 2, 8, 4, 3), ((7, 7, 32), 192, 2, 5, 2, 3)])
def test_the_papers_layers_in_single_precision(shape, n, pieces, kernel, pool, pad):
    """The error of the form that each layer chooses is that of float32."""
    torch = pytest.importorskip("torch")
    backend.use(floatX="float32")                           # the fixture puts it back
    rng = RandomStream(1)
    layer = MaxoutConv(shape, n, pieces, (kernel, kernel), (pool, pool), (2, 2), .05, rng, pad=pad)
    X = rng.normal((2, layer.nvis))
    x, W = (torch.tensor(np.ascontiguousarray(a), dtype=torch.float64) for a in (
        planes(X, shape), layer.W.reshape(kernel, kernel, shape[2], -1).transpose(3, 2, 0, 1)))
    z = torch.nn.functional.max_pool2d(torch.nn.functional.conv2d(x, W, padding=pad), pool, 2, ceil_mode=True)
    h = pixels(z.unflatten(1, (n, pieces)).max(2).values.numpy())
    found = layer.fprop(X)
    assert found.dtype == "float32"
    assert_allclose(found, h, rtol=0, atol=3e-6 * np.abs(h).max())


# Laws

@law
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.tuples(*2 * [st.integers(1, 4)]),
       st.tuples(*2 * [st.integers(1, 3)]), st.integers(0, 2), st.integers(0, 10**6))
def test_deconvolution_is_the_adjoint_of_correlation(rows, columns, below, above, kernel, stride, pad, seed):
    """<Deconv x, y> = <x, correlate y> for the kernels W of both, and no bias."""
    if any(t * (n - 1) + k <= 2 * pad for n, k, t in zip((rows, columns), kernel, stride)):
        return
    rng = RandomStream(seed)
    deconv = Deconv((rows, columns, below), above, kernel, 1., rng, output_stride=stride, pad_out=pad)
    correlate = MaxoutConv(deconv.output_shape, below, 1, kernel, (1, 1), (1, 1), 0., rng, pad=pad,
                           kernel_stride=stride)
    correlate.W[...] = deconv.W
    assert correlate.output_shape == deconv.input_shape
    x, y = rng.normal((2, deconv.nvis)), rng.normal((2, deconv.dim))
    assert_allclose(float((deconv.fprop(x) * y).sum()), float((x * correlate.fprop(y)).sum()), rtol=1e-10, atol=1e-10)


@law
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2), st.integers(0, 10**6))
def test_max_pool_and_its_gradient_are_the_loops(length, size, stride, axis, seed):
    """Windows start at 0, T, 2 T ... until one reaches the end.  Whole numbers z give ties; the earliest place wins."""
    size, stride = min(size, length), min(stride, size, length)
    pool, rng, shape = MaxPool(axis, length, size, stride), np.random.RandomState(seed), [2, 2, 2]
    shape[axis] = length
    z = rng.randint(3, size=shape).astype(float)
    starts = [w * stride for w in range(length) if w == 0 or (w - 1) * stride + size < length]
    dh = rng.normal(size=[len(starts) if i == axis else 2 for i in range(3)])
    lines, out = np.moveaxis(z, axis, -1), np.moveaxis(dh, axis, -1)
    h, dz = np.zeros_like(out), np.zeros_like(lines)
    for i, j, w in np.ndindex(*out.shape):
        window = lines[i, j, starts[w]:starts[w] + size]
        h[i, j, w] = window.max()
        dz[i, j, starts[w] + window.argmax()] += out[i, j, w]

    found, wins = pool.fprop(asarray(z))
    assert_array_equal(np.moveaxis(to_numpy(found), axis, -1), h)
    assert_allclose(np.moveaxis(to_numpy(pool.bprop(asarray(dh), wins)), axis, -1), dz, rtol=1e-12, atol=1e-12)


def test_a_tie_goes_to_the_earliest_row_then_column_then_piece():
    """All z are equal.  Windows of 2 x 3 at rows 0, 1, 2 and columns 0, 2 pass their gradient to their first place."""
    rng = RandomStream(1)
    layer = MaxoutConv((4, 5, 1), 1, 2, (1, 1), (2, 3), (1, 2), 0., rng)
    R = rng.normal((3, 6))
    layer.fprop(rng.normal((3, 20)))
    layer.bprop(R)
    db = np.zeros((4, 5, 2))
    db[:3, [0, 2], 0] = to_numpy(R).sum(axis=0).reshape(3, 2)
    assert_allclose(to_numpy(layer.db), db, rtol=1e-14)


# Beside dense layers

def test_a_kernel_as_large_as_the_picture_is_a_dense_layer(way):
    """W has a row for each number of the picture, as in `Linear`, and the pieces of a channel side by side."""
    rng = RandomStream(1)
    dense = Linear(24, 15, 1., rng, init_bias=rng.normal((15,)))
    X, R = rng.normal((5, 24)), rng.normal((5, 15))
    z, dX = to_numpy(dense.fprop(X)), to_numpy(dense.bprop(R))
    for num_channels, num_pieces in (15, 1), (5, 3):
        layer = MaxoutConv((3, 2, 4), num_channels, num_pieces, (3, 2), (1, 1), (1, 1), 0., rng, tied_b=True,
                           init_bias=dense.b)
        layer.W[...] = dense.W
        assert_allclose(to_numpy(layer.fprop(X)), z.reshape(5, num_channels, num_pieces).max(axis=2), rtol=1e-10)
        if num_pieces == 1:
            assert_allclose(to_numpy(layer.bprop(R)), dX, rtol=1e-10, atol=1e-10)
            assert_allclose(to_numpy(layer.dW), to_numpy(dense.dW), rtol=1e-10, atol=1e-10)
            assert_allclose(to_numpy(layer.db), to_numpy(dense.db), rtol=1e-10, atol=1e-10)


def test_deconvolution_of_one_place_is_a_dense_layer(way):
    rng = RandomStream(1)
    layer = Deconv((1, 1, 6), 2, (2, 3), 1., rng, init_bias=rng.normal((2, 3, 2)))
    dense = Linear(6, 12, 0., rng, init_bias=layer.b.reshape(12))
    dense.W[...] = layer.W.T
    X = rng.normal((5, 6))
    assert_allclose(to_numpy(layer.fprop(X)), to_numpy(dense.fprop(X)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("inputs", [slice(2, 4), slice(None, 1), slice(4, None), slice(1, 5, 3), slice(0, 0)])
def test_inputs_of_some_rows(inputs, way):
    rng = RandomStream(1)
    for layer in (MaxoutConv((3, 3, 1), 1, 2, (2, 2), (2, 2), (1, 1), 1., rng), Deconv((2, 2, 1), 1, (2, 2), 1., rng)):
        X, R = rng.normal((5, layer.nvis)), rng.normal((5, layer.dim))
        layer.fprop(X)
        expected, dW = to_numpy(layer.bprop(R)), to_numpy(layer.dW).copy()
        layer.fprop(X)
        assert_array_equal(to_numpy(layer.bprop(R, inputs=inputs))[inputs], expected[inputs])
        assert_array_equal(to_numpy(layer.dW), dW)


# Limits

@pytest.mark.parametrize("layer", [
    lambda rng, **limit: MaxoutConv((2, 2, 1), 3, 1, (1, 2), (1, 1), (1, 1), 0., rng, init_bias=50., **limit),
    lambda rng, **limit: Deconv((2, 2, 3), 1, (1, 2), 0., rng, init_bias=50., **limit)])
def test_norm_limit_by_hand(layer):
    """Kernels of norm 5, 1 and 1/2 under the limit 1: to 1, by 1/(1 + 1e-7), and by (1/2)/(1/2 + 1e-7)."""
    layer = layer(RandomStream(0), max_kernel_norm=1.)
    layer.W[...] = asarray([[3., .6, .3], [4., .8, .4]])
    layer.enforce_norm_limits()
    shrunk = np.array([1 / 5.0000001, 1 / 1.0000001, .5 / .5000001])
    assert_allclose(to_numpy(layer.W), [[3, .6, .3], [4, .8, .4]] * shrunk, rtol=1e-15)
    assert_array_equal(to_numpy(layer.b), 50)


# Within nets

def test_sides_of_the_papers_nets():
    """Sides before and after pooling: 33, 16; 15, 7; 9, 5 with 4800 features; G's 10 x 10 x 80 become 32 x 32 x 3."""
    backend.use(floatX="float32")                           # the fixture puts it back
    rng, shape, sides = RandomStream(1), (32, 32, 3), []
    for channels, kernel, pool, pad in ((32, 8, 4, 4), (32, 8, 4, 3), (192, 5, 2, 3)):
        layer = MaxoutConv(shape, channels, 2, (kernel, kernel), (pool, pool), (2, 2), .005, rng, pad=pad, tied_b=True)
        sides += [(*layer.correlation.out_shape, *layer.output_shape)]
        shape = layer.output_shape
    assert sides == [(33, 33, 16, 16, 32), (15, 15, 7, 7, 32), (9, 9, 5, 5, 192)] and layer.dim == 4800
    deconv = Deconv((10, 10, 80), 3, (5, 5), .05, rng, output_stride=(3, 3))
    assert deconv.nvis == 8000 and deconv.output_shape == deconv.b.shape == (32, 32, 3)


def small_nets(rng, include_prob=1.):
    """Return a G that makes planes of 3 colours of 4 x 5 by deconvolution, and a convolutional D."""
    deconv = Deconv((2, 2, 3), 3, (2, 3), 1., rng, output_stride=(2, 2), init_bias=rng.normal((4, 5, 3)))
    G = MLP([RectifiedLinear(4, 12, 1., rng, init_bias=.2), deconv, Transpose(deconv.output_shape, (2, 0, 1))])
    first = MaxoutConv((4, 5, 3), 2, 2, (2, 2), (2, 2), (1, 2), 1., rng, pad=1, init_bias=rng.normal((5, 6, 4)))
    second = MaxoutConv(first.output_shape, 2, 2, (3, 2), (1, 1), (1, 1), 1., rng, init_bias=rng.normal((2, 2, 4)))
    D = MLP([Transpose((3, 4, 5), (1, 2, 0)), Dropout(include_prob, rng=rng), first,
             Dropout(include_prob, rng=rng), second, Linear(second.dim, 1, 1., rng)])
    return AdversaryPair(Generator(G, "gaussian", rng), D)


@pytest.mark.numpy_only
def test_the_game_of_convolutional_nets_has_the_right_gradients():
    rng = RandomStream(1)
    report = check(small_nets(rng, .8), rng.normal((3, 60)), rng.normal((3, 4)), max_entries=3)
    assert report.ok, report


def test_the_simultaneous_step_has_the_gradients_of_two(way):
    """Its one backward pass through D gives G the same gradient as a backward pass for G alone."""
    pair, x = small_nets(RandomStream(1)), RandomStream(2).normal((3, 60))
    G, D = pair.generator, pair.discriminator
    before = to_numpy(G.theta).copy(), to_numpy(D.theta).copy()
    state = G.rng.state
    z = G.noise(3)
    a = D.fprop(G.fprop(z))
    G.bprop(D.bprop(NonSaturating().grad(a), params=False))
    expected = before[0] - .1 * to_numpy(G.grad)
    G.rng.state = state
    simultaneous_step(pair, Momentum(.1), Momentum(.1), x)
    assert_allclose(to_numpy(G.theta), expected, rtol=1e-10, atol=1e-12)
    assert (expected != before[0]).mean() > .5 and (to_numpy(D.theta) != before[1]).mean() > .5


def test_monitoring_convolutional_nets():
    channels = measure(small_nets(RandomStream(1), .8), RandomStream(2).normal((3, 60)), NonSaturating())
    assert {"gen_y_max_x_mean_u", "dis_on_data_h0_range_x_max_u", "dis_on_samp_h1_min_x_min_u"} <= set(channels)
    assert all(np.isfinite(float(value)) for value in channels.values())


def test_convolutional_nets_are_saved(tmp_path):
    rng = RandomStream(1)
    pair = small_nets(rng)
    checkpoint.save_generator(tmp_path / "generator.npz", pair.generator, dtype="float64")
    G = checkpoint.load(tmp_path / "generator.npz").generator()
    D = description.build(description.describe(pair.discriminator), to_numpy(pair.discriminator.theta), rng)
    assert repr(G) == repr(pair.generator) and repr(D) == repr(pair.discriminator)
    x = pair.generator.fprop(rng.normal((3, 4)))
    assert_array_equal(to_numpy(D.fprop(x)), to_numpy(pair.discriminator.fprop(x)))
    assert_array_equal(to_numpy(G.theta), to_numpy(pair.generator.theta))


@pytest.mark.numpy_only
@pytest.mark.parametrize("layer", [
    {"kind": "MaxoutConv", "num_channels": 1, "num_pieces": 1, "kernel_shape": [2, 2], "pool_shape": [1, 1],
     "pool_stride": [1, 1]},
    {"kind": "Deconv", "num_channels": 1, "kernel_shape": [2, 2]}], ids=lambda layer: layer["kind"])
def test_a_forged_file_cannot_demand_more_than_the_memory(layer):
    """The kernels are as small as the file, but there is a bias for each place."""
    net = {"kind": "MLP", "layers": [{**layer, "input_shape": [10**5, 10**5, 1]}]}
    with pytest.raises((ValueError, MemoryError), match="more parameters than the file|Unable to allocate"):
        description.build(net, np.zeros(4), RandomStream(1))


# Bad input

RNG = RandomStream(1)


def maxout_conv(input_shape=(5, 5, 1), num_channels=2, num_pieces=2, kernel_shape=(2, 2), pool_shape=(2, 2),
                pool_stride=(1, 1), **more):
    return MaxoutConv(input_shape, num_channels, num_pieces, kernel_shape, pool_shape, pool_stride, 1., RNG, **more)


def deconv(input_shape=(2, 2, 3), num_channels=2, kernel_shape=(2, 2), **more):
    return Deconv(input_shape, num_channels, kernel_shape, 1., RNG, **more)


@pytest.mark.numpy_only
@pytest.mark.parametrize("wrong, message", [
    (lambda: maxout_conv(input_shape=(5, 5)), r"\(rows, columns, channels\), each a whole number >= 1, got \(5, 5\)"),
    (lambda: maxout_conv(input_shape=25), r"input_shape must be .*, each a whole number >= 1, got 25"),
    (lambda: maxout_conv(kernel_shape=2), r"kernel_shape must be \(rows, columns\), each a whole number >= 1, got 2"),
    (lambda: maxout_conv(kernel_shape=(2, 0)), r"kernel_shape must be .* got \(2, 0\)"),
    (lambda: maxout_conv(pool_shape=(2., 2)), r"pool_shape must be .* got \(2.0, 2\)"),
    (lambda: maxout_conv(pool_stride="11"), r"pool_stride must be .* got '11'"),
    (lambda: maxout_conv(kernel_stride=(1, 1, 1)), r"kernel_stride must be .* got \(1, 1, 1\)"),
    (lambda: maxout_conv(num_pieces=0), "num_pieces must be a whole number >= 1, got 0"),
    (lambda: maxout_conv(num_channels=1.5), "num_channels must be a whole number >= 1, got 1.5"),
    (lambda: maxout_conv(pad=-1), "pad must be a whole number >= 0, got -1"),
    (lambda: maxout_conv(kernel_shape=(8, 2), pad=1), "8 x 2 do not fit into pictures of 5 x 5 with margins of 1"),
    (lambda: maxout_conv(pool_shape=(5, 2)), "got stride 1, size 5 and 4 places"),
    (lambda: maxout_conv(pool_stride=(1, 3)), "need stride <= size <= the number of places, got stride 3, size 2"),
    (lambda: maxout_conv(max_kernel_norm=0), "max_kernel_norm must be > 0 or None, got 0"),
    (lambda: maxout_conv(init_bias=np.zeros(4)), r"finite numbers of shape \(4, 4, 4\), got shape \(4,\)"),
    (lambda: maxout_conv(init_bias=np.zeros(2), tied_b=True), r"of shape \(4,\), got shape \(2,\)"),
    (lambda: deconv(pad_out=2), "pad_out must leave some of the output, got 2, which leaves -1 x -1"),
    (lambda: deconv(pad_out=.5), "pad_out must be a whole number >= 0, got 0.5"),
    (lambda: deconv(output_stride=(0, 1)), r"output_stride must be .* got \(0, 1\)"),
    (lambda: deconv(input_shape=(2, 2, 3, 1)), "input_shape must be"),
])
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.numpy_only
def test_weights_need_a_stream():
    with pytest.raises(TypeError, match="rng=npgan.backend.RandomStream"):
        MaxoutConv((5, 5, 1), 2, 2, (2, 2), (1, 1), (1, 1), 1.)
    with pytest.raises(ValueError, match="exactly one of irange, istdev and sparse_init"):
        Deconv((5, 5, 1), 2, (2, 2), rng=RNG)


@pytest.mark.numpy_only
def test_layers_of_different_widths_are_refused():
    with pytest.raises(ValueError, match=r"Deconv\(input_shape=\(2, 2, 3\), .* takes 12 inputs, but .* has 13 units"):
        MLP([Linear(4, 13, 1., RNG), deconv()])
