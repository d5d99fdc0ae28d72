"""How a cost or a pair of players is checked: as objects with an fprop whose output is the cost, and a bprop."""
from npgan.adversarial import AdversaryPair
from npgan.backend import xp
from npgan.costs import NonSaturating, cross_entropy, cross_entropy_grad


def cases_of(thing, inputs):
    """Return a list of objects with fprop and bprop by which `thing` is checked, each with its inputs by name."""
    if isinstance(thing, AdversaryPair):
        if len(inputs) != 2:
            raise TypeError(f"an AdversaryPair is checked on x and z, got {len(inputs)} inputs")
        x, z = inputs
        return [(GeneratorCost(thing), {"z": z}), (DiscriminatorCost(thing, z), {"x": x})]
    if not hasattr(thing, "fprop") and hasattr(thing, "cost"):
        thing = thing.cost, thing.grad
    if isinstance(thing, tuple):
        cost, grad = thing
        thing, inputs = Cost(cost, grad, inputs[1:]), inputs[:1]
    return [(thing, {f"input {i}": x for i, x in enumerate(inputs)})]


class Cost:
    """A `cost` and its gradient `grad`, functions of an array a and of `fixed` others, as a layer whose output is C."""

    params = grads = ()

    def __init__(self, cost, grad, fixed):
        self.cost, self.grad, self.fixed = cost, grad, fixed

    def fprop(self, a):
        """Return the cost of `a`."""
        self.a = a
        C = xp.asarray(self.cost(a, *self.fixed))
        if C.ndim:
            raise TypeError(f"a cost must return a single number, got an array of shape {C.shape}; return its mean or "
                            "sum, or check the function as the fprop of an object")
        return C

    def bprop(self, dC):
        """Return the gradient of the cost by the input; `dC` is 1."""
        return self.grad(self.a, *self.fixed)


class GeneratorCost:
    """-log D(G(z)) of a `pair`, a function of z and theta_g, as a layer; D is held fixed (Section 3)."""

    def __init__(self, pair):
        self.G, self.D, self.generator = pair.generator.mlp, pair.discriminator, pair.generator
        self.params, self.grads = self.G.params, self.G.grads

    def fprop(self, z):
        """Return the cost of `z`."""
        self.a = self.D.dropout_fprop(self.generator.fprop(z))
        return NonSaturating().cost(self.a)

    def bprop(self, dC):
        """Return the gradient of the cost by the input; `dC` is 1."""
        return self.generator.bprop(self.D.bprop(NonSaturating().grad(self.a), params=False))


class DiscriminatorCost:
    """-V(D, G) of eq. 1 of a `pair`, a function of x and theta_d, as a layer; the samples G(`z`) are held fixed."""

    def __init__(self, pair, z):
        self.D, self.samples = pair.discriminator, pair.generator.fprop(z)
        self.params, self.grads = self.D.params, self.D.grads

    def fprop(self, x):
        """Return the cost of `x`."""
        a = self.D.dropout_fprop(xp.concatenate([x, self.samples]))
        self.on_x, self.on_samples = a[:len(x)], a[len(x):]
        return cross_entropy(self.on_x, 1) + cross_entropy(self.on_samples, 0)

    def bprop(self, dC):
        """Return the gradient of the cost by the input; `dC` is 1."""
        da = xp.concatenate([cross_entropy_grad(self.on_x, 1), cross_entropy_grad(self.on_samples, 0)])
        return self.D.bprop(da)[:len(self.on_x)]
