"""
Momentum inside the products of the backward pass, the fast form of `npgan.plain.momentum`.

A dense layer's gradients are dW = s^T dz and db = sum over rows of dz, so the new velocity of its weights,

    v <- mu v - epsilon s^T dz,

is one call of BLAS for each matrix.  The gradient itself is never written, which saves passes over all parameters.
"""
from npgan.backend import xp
from npgan.kernels import blas


def can_fuse(net):
    """Return whether the backward pass of each layer of `net` that has parameters leaves its s and dz behind."""
    return all(can_fuse(layer) if hasattr(layer, "layers") else leaves_product(layer)
               for layer in net.layers if layer.params)


def leaves_product(layer):
    """Return whether the class that wrote the layer's `bprop` declares `leaves_product`; a user's own need not."""
    writer = next(cls for cls in type(layer).__mro__ if "bprop" in vars(cls))
    return vars(writer).get("leaves_product", False)


def dense_layers(net):
    """Yield the layers of `net` that have parameters, in the order of theta, those of nets within it included."""
    for layer in net.layers:
        if hasattr(layer, "layers"):
            yield from dense_layers(layer)
        elif layer.params:
            yield layer


def descend(net, dh, inputs, velocity, mu, epsilon):
    """
    Do the backward pass of `net`, then v <- mu v - epsilon dC/dtheta and theta <- theta + v, then the norm limits.

    Parameters
    ----------
    net : MLP or Generator
        One that `can_fuse`; its gradients are not written.
    dh, inputs
        As in `LearningRule.descend`.
    velocity : array (number of parameters,)
        v, changed in place.
    mu, epsilon : float

    Returns
    -------
    array (m, nvis) or None
        As `LearningRule.descend`.
    """
    ds = net.bprop(dh, params=False, inputs=inputs)
    start = 0
    for layer in dense_layers(net):
        s, dz = layer.product
        v_W, v_b = (velocity[start:start + layer.W.size].reshape(layer.W.shape),
                    velocity[start + layer.W.size:start + layer.W.size + layer.b.size])
        blas.add_product(v_W, mu, -epsilon, s.T, dz)
        v_b *= mu
        v_b += -epsilon * xp.sum(dz, axis=0)
        start += layer.W.size + layer.b.size
    blas.add(net.theta, velocity)
    net.enforce_norm_limits()
    return ds
