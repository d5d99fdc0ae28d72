"""
The authors' monitoring channels: numbers of both players on one minibatch.

Their code exchanges the prefixes ``dis_on_data_`` and ``dis_on_samp_``; here each names what it is measured on.
"""
from npgan import parzen
from npgan.backend import xp
from npgan.costs import cross_entropy
from npgan.layers import sigmoid


def measure(pair, x, generator_loss):
    """
    Return the channels of one minibatch.

    Parameters
    ----------
    pair : AdversaryPair
    x : array (m, d)
        Data rows; as many samples are drawn.
    generator_loss : NonSaturating, Saturating or Blend

    Returns
    -------
    dict of 0-d array
        With dropout and fresh noise:

        ``objective_d``, ``objective_g``, ``objective``
            -V/2, G's loss C_G, and their sum.  At D = 1/2, -V/2 and -log D(G(z)) are log 2, log(1 - D(G(z))) is -log 2.
        ``sample_grad_norm``
            The Frobenius norm of dC_G/dG(z).  C_G is a mean over samples, so the norm falls with 1/sqrt(m).  The
            authors' channel of this name shows the gradient of D's entropy instead.

        Without dropout:

        ``d_on_data``, ``d_on_samples``
            The means of D(x) and D(G(z)).
        ``false_negatives``, ``false_positives``
            The fraction of the data with D(x) < 1/2, and of the samples with D(G(z)) > 1/2.
        ``gen_ll``, ``gen_nll``
            The Parzen log-likelihood of x, in nats, under the m samples (the authors take 100) with sigma .2, and its
            negative.  So few samples show only a trend.
        ``gen_<layer>_``, ``dis_on_data_<layer>_``, ``dis_on_samp_<layer>_``
            The `unit_statistics` of each layer.
    """
    G, D = pair.generator, pair.discriminator
    x, z = G.with_noise(x)
    samples = G.fprop(z)
    objective_d = cross_entropy(D.dropout_fprop(x), 1) / 2
    a = D.dropout_fprop(samples)
    objective_d = objective_d + cross_entropy(a, 0) / 2
    objective_g = generator_loss.cost(a)
    dC = D.bprop(generator_loss.grad(a), params=False)
    channels = {"objective": objective_d + objective_g, "objective_d": objective_d, "objective_g": objective_g,
                "sample_grad_norm": xp.sqrt(xp.square(dC).sum())}

    for prefix, net, rows in (("gen", G.mlp, z), ("dis_on_data", D, x), ("dis_on_samp", D, samples)):
        for layer, h in net.activations(rows):
            channels.update(unit_statistics(f"{prefix}_{layer}", h))
        if prefix == "dis_on_data":
            D_on_data = sigmoid(h)
    D_on_samples = sigmoid(h)
    channels.update(d_on_data=D_on_data.mean(), d_on_samples=D_on_samples.mean(),
                    false_negatives=(D_on_data < .5).mean(dtype=h.dtype),
                    false_positives=(D_on_samples > .5).mean(dtype=h.dtype))
    ll = parzen.log_likelihood(x, samples, .2).mean()
    channels.update(gen_ll=ll, gen_nll=-ll)
    return channels


def unit_statistics(prefix, h):
    """
    Return twelve channels of the outputs `h` (m, dim) of a layer, a dict of 0-d arrays.

    They are the max, mean and min over units u of the max, min, mean and range over examples x.  The names are `prefix`
    and Pylearn2's, such as ``max_x_mean_u`` for the mean over units of the max over examples.
    """
    high, low = h.max(axis=0), h.min(axis=0)
    over_x = {"max": high, "min": low, "mean": h.mean(axis=0), "range": high - low}
    return {f"{prefix}_{x}_x_{u}_u": getattr(of_x, u)() for x, of_x in over_x.items() for u in ("max", "mean", "min")}


def weight_norms(prefix, net):
    """
    Return the min, mean and max of the L2 norms of each W's rows and columns: a dict named by `prefix` and layer.

    `net` is an MLP; the values are 0-d arrays.
    """
    channels = {}
    for name, layer in net.named_layers:
        W = getattr(layer, "W", None)
        if W is None:
            continue
        for axis, subscripts in (("row", "vj,vj->v"), ("col", "vj,vj->j")):
            norms = xp.sqrt(xp.einsum(subscripts, W, W))
            for u in ("min", "mean", "max"):
                channels[f"{prefix}_{name}_{axis}_norms_{u}"] = getattr(norms, u)()
    return channels
