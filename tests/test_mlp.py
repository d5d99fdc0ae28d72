import copy
import pickle

import numpy as np
import pytest
from differences import law, small_discriminator
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP


def test_two_layers_by_hand():
    """x = 2 under a rectifier of weights 1, -1 and a linear unit of weights 3, 5: h = 3 max(0, 2) + 5 max(0, -2)."""
    rng = RandomStream(0)
    net = MLP([RectifiedLinear(1, 2, 0., rng), Linear(2, 1, 0., rng)])
    net.theta[...] = asarray([1, -1, 0, 0, 3, 5, 0])
    assert to_numpy(net.fprop(asarray([[2.]]))) == 6
    assert to_numpy(net.bprop(asarray([[1.]]))) == 3
    assert_array_equal(to_numpy(net.grad), [6, 0, 3, 0, 2, 0, 1])


@law
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.integers(0, 10**6))
def test_theta_and_the_layers_share_their_memory(sizes, seed):
    rng = RandomStream(seed)
    layers = [RectifiedLinear(nvis, dim, 1., rng, init_bias=.5) for nvis, dim in zip(sizes, sizes[1:])]
    drawn = np.concatenate([to_numpy(param).ravel() for layer in layers for param in layer.params])
    net = MLP(layers)
    assert_array_equal(to_numpy(net.theta), drawn)                          # building the net changes no weight

    new = to_numpy(rng.normal(net.theta.shape))
    net.theta[...] = asarray(new)
    start = 0
    for layer in layers:
        for array in layer.W, layer.b:
            assert_array_equal(to_numpy(array).ravel(), new[start:start + array.size])
            array[...] = start
            assert (to_numpy(net.theta)[start:start + array.size] == start).all()
            start += array.size
    assert start == net.theta.size == sum((nvis + 1) * dim for nvis, dim in zip(sizes, sizes[1:]))


def test_a_net_in_a_net_is_the_same_net():
    def layers(rng):
        return [RectifiedLinear(4, 5, 1., rng), Sigmoid(5, 3, 1., rng), Linear(3, 2, 1., rng)]

    flat = MLP(layers(RandomStream(1)))
    first, second, third = layers(RandomStream(1))
    inner = MLP([second, third])
    nested = MLP([first, inner])
    X, R = RandomStream(2).normal((6, 4)), RandomStream(3).normal((6, 2))
    assert_array_equal(to_numpy(nested.fprop(X)), to_numpy(flat.fprop(X)))
    assert_array_equal(to_numpy(nested.bprop(R)), to_numpy(flat.bprop(R)))
    assert_array_equal(to_numpy(nested.grad), to_numpy(flat.grad))
    nested.theta[...] = 3                                                   # the inner net's theta moved into it, too
    assert_array_equal(to_numpy(inner.theta), 3)
    assert_array_equal(to_numpy(second.b), 3)


def test_a_deep_copy_is_a_net_of_its_own():
    rng = RandomStream(1)
    net = MLP([RectifiedLinear(4, 5, 1., rng), MLP([Sigmoid(5, 3, 1., rng)])])
    theta = to_numpy(net.theta).copy()
    twin = copy.deepcopy(net)
    twin.theta[...] = 3
    assert_array_equal(to_numpy(net.theta), theta)
    assert_array_equal(to_numpy(twin.layers[1].layers[0].W), 3)


def pickled(net, folder):
    return pickle.loads(pickle.dumps(net))


def through_read_only_memory(net, folder):
    """As joblib gives a large net to its worker processes."""
    joblib = pytest.importorskip("joblib")
    joblib.dump(net, folder / "net.joblib")
    return joblib.load(folder / "net.joblib", mmap_mode="r")


@pytest.mark.parametrize("convey", [pickled, through_read_only_memory, lambda net, folder: copy.deepcopy(net)],
                         ids=["pickle", "read-only memory", "deep copy"])
def test_conveyed_nets_compute_and_train_on(convey, tmp_path):
    """The copy gives the same outputs, and after one update has the same parameters, in theta and in the layers."""
    if convey is through_read_only_memory and xp.module is not np:
        pytest.skip("memory maps are NumPy's")
    rng = RandomStream(1)
    net = MLP([RectifiedLinear(4, 5, 1., rng), MLP([Dropout(.5, rng=rng), Sigmoid(5, 3, 1., rng)])])
    twin = convey(net, tmp_path)
    X, R = rng.normal((6, 4)), rng.normal((6, 3))
    before = to_numpy(net.theta).copy()
    assert_array_equal(to_numpy(twin.fprop(X)), to_numpy(net.fprop(X)))
    for player in net, twin:
        Momentum(.1, .5).descend(player, R)
    assert (to_numpy(net.theta) != before).any()
    assert_array_equal(to_numpy(twin.theta), to_numpy(net.theta))
    assert_array_equal(to_numpy(twin.layers[1].layers[1].W), to_numpy(net.layers[1].layers[1].W))


def test_a_shallow_copy_shares_parameters_and_leaves_the_forward_pass_alone():
    rng = RandomStream(1)
    net = MLP([RectifiedLinear(4, 5, 1., rng), MLP([Sigmoid(5, 3, 1., rng)]), Maxout(3, 2, 2, 1., rng)])
    X, R = rng.normal((6, 4)), rng.normal((6, 2))
    net.fprop(X)
    dX, grad = to_numpy(net.bprop(R)), to_numpy(net.grad).copy()
    net.fprop(X)
    twin = copy.copy(net)
    twin.fprop(rng.normal((9, 4)))
    assert_array_equal(to_numpy(net.bprop(R)), dX)
    assert_array_equal(to_numpy(net.grad), grad)
    net.theta[...] = 0
    assert not to_numpy(twin.layers[1].layers[0].W).any()


def test_parameters_of_the_mnist_nets():
    """Section 5's nets, in the sizes of the authors' mnist.yaml: G has 2,503,984 parameters, D 1,231,441."""
    rng = RandomStream(1)
    G = MLP([RectifiedLinear(100, 1200, .05, rng), RectifiedLinear(1200, 1200, .05, rng), Sigmoid(1200, 784, .05, rng)])
    D = MLP([Dropout(.8, rng=rng), Maxout(784, 240, 5, .005, rng), Dropout(.5, rng=rng),
             Maxout(240, 240, 5, .005, rng), Dropout(.5, rng=rng), Linear(240, 1, .005, rng)])
    assert (G.theta.size, G.nvis, G.dim) == (2_503_984, 100, 784)
    assert (D.theta.size, D.nvis, D.dim) == (1_231_441, 784, 1)
    assert G.theta.dtype == D.theta.dtype == "float32"


def test_norm_limits_of_every_layer():
    rng = RandomStream(1)
    net = MLP([Linear(3, 4, 9., rng, max_col_norm=1.), MLP([Maxout(4, 2, 2, 9., rng, max_col_norm=2.)]),
               Linear(2, 1, 9., rng)])
    free = to_numpy(net.layers[2].W).copy()
    net.enforce_norm_limits()
    for layer, limit in ((net.layers[0], 1), (net.layers[1].layers[0], 2)):
        assert_allclose(np.linalg.norm(to_numpy(layer.W), axis=0), limit, rtol=1e-6)
    assert_array_equal(to_numpy(net.layers[2].W), free)
    assert_allclose(np.linalg.norm(to_numpy(net.theta)[:12]), 2, rtol=1e-6)     # theta sees it: 4 columns of norm 1


def test_activations_end_in_the_output():
    rng = RandomStream(1)
    net, X = small_discriminator(rng, .5), rng.normal((5, 4))
    activations = dict(net.activations(X))
    assert list(activations) == net.layer_names == ["h0", "y"]
    assert activations["h0"].shape == (5, 3)
    assert_array_equal(to_numpy(activations["y"]), to_numpy(net.fprop(X)))


def test_masks_belong_to_the_training_pass():
    rng = RandomStream(1)
    net, X = small_discriminator(rng, .5), rng.normal((50, 4))
    plain, again = to_numpy(net.fprop(X)), to_numpy(net.fprop(X))
    assert_array_equal(again, plain)
    assert (to_numpy(net.dropout_fprop(X)) != plain).any()


def test_streams_are_those_of_the_masks():
    a, b = RandomStream(1), RandomStream(2)
    net = MLP([Dropout(.5, rng=a), MLP([Linear(4, 3, 1., b), Dropout(.5, rng=b)])])
    assert [id(stream) for stream in net.streams] == [id(a), id(b)]


def test_sizes_that_do_not_fit():
    rng = RandomStream(1)
    with pytest.raises(ValueError, match=r"Linear\(nvis=6, dim=1.*takes 6 inputs, but the layer below it has 5 units"):
        MLP([RectifiedLinear(4, 5, 1., rng), Dropout(.5, rng=rng), Linear(6, 1, 1., rng)])
    with pytest.raises(ValueError, match="takes 6 inputs, but the layer below it has 3 units"):
        MLP([Maxout(4, 3, 2, 1., rng), Linear(6, 1, 1., rng)])              # 6 pieces, but 3 units


@pytest.mark.parametrize("layers", [lambda: [], lambda: [Dropout(1.), Dropout(1.)]])
def test_a_net_without_parameters(layers):
    with pytest.raises(ValueError, match="an MLP needs"):
        MLP(layers())


def test_layers_of_two_precisions(monkeypatch):
    below = Linear(4, 3, 1., RandomStream(1))
    monkeypatch.setattr(backend, "floatX", "float64")
    with pytest.raises(TypeError, match="share one precision, got float32 and float64"):
        MLP([below, Linear(3, 2, 1., RandomStream(1))])
