"""Exercises 7 to 9, momentum and the game, as `grading.layers` has the layers."""
from types import SimpleNamespace

import numpy as np

from grading.grader import Mistake, Task
from grading.tools import Exercise, Passes, double, normal, rows_of
from npgan import adversarial, costs, layers, learning_rule
from npgan.backend import RandomStream
from npgan.mlp import MLP

# 7. Momentum

def momentum(I):
    net = SimpleNamespace(theta=I.theta.ravel().copy(), grad=I.dtheta.ravel(), enforce_norm_limits=lambda: None)
    rule = learning_rule.Momentum(I.learning_rate, I.mu)
    rule.bind(net)
    rule.velocity[...] = I.v.ravel()
    rule.update(net)
    return net.theta.reshape(I.theta.shape), rule.velocity.reshape(I.theta.shape)


def velocity(kind, words, altered):
    return Mistake(kind, "v_new", "(1)", words, lambda I, r, g: altered(I))


MOMENTUM = Exercise("ex07_momentum", "momentum", [
    Task("momentum", {"theta_new": "(2)", "v_new": "(1)"},
         [{"theta": normal(1, 4, 3), "v": normal(2, 4, 3), "dtheta": normal(3, 4, 3), "learning_rate": .1, "mu": .6},
          {"theta": normal(4, 5), "v": normal(5, 5), "dtheta": normal(6, 5), "learning_rate": .03, "mu": .9}],
         momentum, [
        velocity("forgot the old velocity", "This is -epsilon dtheta, plain descent; mu v is missing.",
                 lambda I: -I.learning_rate * I.dtheta),
        velocity("uphill", "The gradient is added.  We go down: it is subtracted.",
                 lambda I: I.mu * I.v + I.learning_rate * I.dtheta),
        velocity("forgot mu", "All of the old velocity is kept, and it will never slow down.",
                 lambda I: I.v - I.learning_rate * I.dtheta),
        velocity("forgot the learning rate", "The whole gradient is subtracted, not epsilon times it.",
                 lambda I: I.mu * I.v - I.dtheta),
        velocity("forgot the gradient", "This is mu v; the gradient has no part in it.", lambda I: I.mu * I.v),
        velocity("an average in place of a sum", "The gradient is multiplied by 1 - mu.  Others do so; (1) does not.",
                 lambda I: I.mu * I.v - (1 - I.mu) * I.learning_rate * I.dtheta),
        velocity("the learning rate on the old velocity too", "epsilon multiplies the gradient alone.",
                 lambda I: I.learning_rate * (I.mu * I.v - I.dtheta)),
        Mistake("follows from v_new", "theta_new", "(1)", "It is theta + v_new, as it should be; mend v_new, and "
                "both are right.",
                lambda I, r, g: I.theta + g["v_new"] if g["v_new"].shape == I.v.shape
                and not close_to(g["v_new"], r["v_new"]) else r["theta_new"]),
        Mistake("moved by the old velocity", "theta_new", "(2)", "The step is the new velocity, v_new, not v.",
                lambda I, r, g: I.theta + I.v),
        Mistake("plain descent", "theta_new", "(2)", "theta moves by the gradient alone; the velocity moves nothing.",
                lambda I, r, g: I.theta - I.learning_rate * I.dtheta),
        Mistake("the velocity subtracted", "theta_new", "(2)", "The minus sign is in v_new already; here it is added.",
                lambda I, r, g: I.theta - r["v_new"]),
        Mistake("did not move", "theta_new", "(2)", "This is theta as it was.", lambda I, r, g: I.theta),
        Mistake("the step alone", "theta_new", "(2)", "This is the step, v_new; theta_new is where it leads.",
                lambda I, r, g: r["v_new"]),
        Mistake("the learning rate twice", "theta_new", "(2)", "epsilon is in v_new already.",
                lambda I, r, g: I.theta + I.learning_rate * r["v_new"])])],
    [learning_rule.Momentum.update],
    "In place, and a part at a time: all parameters of a net lie end to end in one vector theta.")


def close_to(a, b):
    return np.allclose(a, b, rtol=1e-9, atol=1e-12)


# 8. The two players

def logit_cases(*names):
    for seed, m, scale in ((1, 5, 2.), (2, 3, 1.)):
        arrays = {"a_data": scale * normal(seed, m, 1) + 1, "a_samples": scale * normal(9 + seed, m, 1) - 1}
        yield {name: arrays[name] for name in names}
    yield {"a_data": np.array([[800.], [-800.]]), "a_samples": np.array([[800.], [-800.]])} if len(names) > 1 else {
        "a_samples": np.array([[800.], [-800.]])}


def V(I):
    return -costs.cross_entropy(I.a_data, 1) - costs.cross_entropy(I.a_samples, 0)


def C_D(a_data, a_samples):
    return -V(SimpleNamespace(a_data=a_data, a_samples=a_samples))


def as_if(name, label, factor=1.):
    """The gradient of cross-entropy on the logits `name`, as if they had that label."""
    return lambda I, r, g: factor * costs.cross_entropy_grad(getattr(I, name), label)


CLIMBS = "This is the slope of V, which D climbs.  As every step goes down, hand out that of C_D = -V."
OVER_2M = "This is divided by 2m.  Data and samples have each a mean of their own, over m rows."
TWO_PLAYERS = Exercise("ex08_two_players", "the two players", [
    Task("value", {"V": "(1)"}, list(logit_cases("a_data", "a_samples")), V, [
        Mistake("the cost in place of the value", "V", "(1)", "This is -V, what D descends; V itself is at most 0.",
                lambda I, r, g: -r["V"]),
        Mistake("averaged over 2m", "V", "(1)", OVER_2M, lambda I, r, g: r["V"] / 2),
        Mistake("labels exchanged", "V", "(1)", "Data are treated as samples and samples as data.",
                lambda I, r, g: -costs.cross_entropy(I.a_data, 0) - costs.cross_entropy(I.a_samples, 1)),
        Mistake("log D for both", "V", "(1)", "The second term is log(1 - D).",
                lambda I, r, g: -costs.cross_entropy(I.a_data, 1) - costs.cross_entropy(I.a_samples, 1)),
        Mistake("forgot the samples", "V", "(1)", "Only the data's term is in it.",
                lambda I, r, g: -costs.cross_entropy(I.a_data, 1)),
        Mistake("forgot the data", "V", "(1)", "Only the samples' term is in it.",
                lambda I, r, g: -costs.cross_entropy(I.a_samples, 0)),
        Mistake("a difference", "V", "(1)", "The two terms are added, log D and log(1 - D).",
                lambda I, r, g: -costs.cross_entropy(I.a_data, 1) + costs.cross_entropy(I.a_samples, 0))],
         rows=rows_of("a_data"), edges=1),
    Task("discriminator_grad", {"da_data": "(2)", "da_samples": "(3)"}, list(logit_cases("a_data", "a_samples")),
         lambda I: (costs.cross_entropy_grad(I.a_data, 1), costs.cross_entropy_grad(I.a_samples, 0)), [
        Mistake("uphill", "da_data", "(2)", CLIMBS, as_if("a_data", 1, -1.)),
        Mistake("uphill", "da_samples", "(3)", CLIMBS, as_if("a_samples", 0, -1.)),
        Mistake("averaged over 2m", "da_data", "(2)", OVER_2M, as_if("a_data", 1, .5)),
        Mistake("averaged over 2m", "da_samples", "(3)", OVER_2M, as_if("a_samples", 0, .5)),
        Mistake("labels exchanged", "da_data", "(2)", "Data get the slope of samples: y = 1 for data.",
                as_if("a_data", 0)),
        Mistake("labels exchanged", "da_samples", "(3)", "Samples get the slope of data: y = 0 for samples.",
                as_if("a_samples", 1))],
         lambda f, I: (Passes(C_D, lambda dC, a_data, a_samples: f(a_data, a_samples)), I.a_data, I.a_samples),
         rows=rows_of("a_data"), edges=1),
    Task("generator_grad", {"da_samples": "(4)"}, list(logit_cases("a_samples")),
         lambda I: costs.cross_entropy_grad(I.a_samples, 1), [
        Mistake("the loss that saturates", "da_samples", "(4)", "This is G's slope in V itself, -sigmoid(a)/m.  It is "
                "a right one, but vanishes while D is sure; here G climbs log D(G(z)).", as_if("a_samples", 0, -1.)),
        Mistake("G helps D", "da_samples", "(4)", "This is D's own slope, (3): G would learn to be caught.",
                as_if("a_samples", 0)),
        Mistake("averaged over 2m", "da_samples", "(4)", "This is divided by 2m; there are m samples.",
                as_if("a_samples", 1, .5))],
         lambda f, I: ((lambda a: costs.NonSaturating().cost(a), f), I.a_samples), rows=rows_of("a_samples"), edges=1)],
    [adversarial.AdversaryPair.value, adversarial.discriminator_step, costs.NonSaturating.grad],
    "cross_entropy_grad averages over 2m rows here; times 2, that is your 1/m for each half.")


# 9. Algorithm 1

class Player:
    """A net of npgan's that does the three things of exercise 9."""

    def __init__(self, net, learning_rate=.5, mu=.5):
        self.net, self.rule = net, learning_rule.Momentum(learning_rate, mu)
        self.fprop, self.bprop = net.fprop, net.bprop

    def descend(self):
        self.rule.update(self.net)


def game(I):
    """The players G and D at their start, data and noise: the same at every call."""
    with double() as rng:
        G = MLP([layers.RectifiedLinear(2, 4, 1., rng, init_bias=.2), layers.Linear(4, I.d, 1., rng)])
        D = MLP([layers.Maxout(I.d, 3, 2, 1., rng, init_bias=rng.normal((6,))), layers.Linear(3, 1, 1., rng)])
    x, z = np.random.default_rng(1), np.random.default_rng(2)
    return Player(G), Player(D), lambda: x.normal(2, 1, size=(I.m, I.d)), lambda: z.normal(size=(I.m, 2))


def play(function, inputs):
    """theta_g and theta_d after the learner's game."""
    I = SimpleNamespace(**inputs)
    G, D, data, noise = game(I)
    function(G, D, data, noise, I.num_iterations, I.k)
    return G.net.theta, D.net.theta


def algorithm_1(I):
    """theta_g and theta_d after npgan's own."""
    G, D, data, noise = game(I)
    generator = adversarial.Generator(G.net, "gaussian", RandomStream(0))
    generator.noise = lambda m: noise()
    adversarial.algorithm_1(adversarial.AdversaryPair(generator, D.net), G.rule, D.rule, lambda m: data(),
                            I.num_iterations, I.k, I.m)
    return G.net.theta, D.net.theta


def altered_game(I, D_moves=True, G_moves=True, upside_down=False, G_in_D_step=False, D_in_G_step=False, old_z=False,
                 G_label=1, past_D=False, k=None, once=False, G_first=False, G_each=False):
    """theta_g and theta_d after Algorithm 1 with something changed."""
    G, D, data, noise = game(I)
    last = {}

    def step_D():
        z, x = noise(), data()
        last["z"] = z
        s = G.fprop(z)
        a = D.fprop(np.concatenate([s, x] if upside_down else [x, s]))
        da = np.concatenate([costs.cross_entropy_grad(a[:I.m], 1), costs.cross_entropy_grad(a[I.m:], 0)])
        ds = D.bprop(da)
        if D_moves:
            D.descend()
        if G_in_D_step:
            G.bprop(ds[I.m:])
            G.descend()

    def step_G():
        a = D.fprop(G.fprop(last["z"] if old_z and last else noise()))
        da = costs.cross_entropy_grad(a, G_label)
        ds = D.bprop(da)
        G.bprop(da if past_D and I.d == 1 else ds)
        if G_moves:
            G.descend()
        if D_in_G_step:
            D.descend()

    for _ in range(1 if once else I.num_iterations):
        if G_first:
            step_G()
        for _ in range(I.k if k is None else k):
            step_D()
            if G_each:
                step_G()
        if not G_first and not G_each:
            step_G()
    return G.net.theta, D.net.theta


def game_mistakes():
    for kind, line, words, how in (
            ("D moves in G's step", "(7)", "D descends there too, by what its bprop kept for G's cost, and so learns "
             "to be fooled.  D is held fixed while G learns.", {"D_in_G_step": True}),
            ("G moves in D's step", "(4)", "G gets D's gradient there and descends it, and so learns to be caught.",
             {"G_in_D_step": True}),
            ("D never moves", "(4)", "D's parameters are as they were.  Where does it descend?", {"D_moves": False}),
            ("G never moves", "(7)", "G's parameters are as they were.  Where does it descend?", {"G_moves": False}),
            ("labels exchanged", "(2)", "D takes data for samples and samples for data: the data rows come on top, and "
             "their logits first.", {"upside_down": True}),
            ("the noise of D's step again", "(5)", "G learns from the z that D has just seen.  Algorithm 1 draws fresh "
             "noise for G's step.", {"old_z": True}),
            ("G helps D", "(6)", "G gets the slope of D's cost, and learns to be caught: generator_grad is G's.",
             {"G_label": 0}),
            ("gradient past D", "(6)", "G gets dC/da, by D's output.  It wants dC/dG(z), which D.bprop returns.",
             {"past_D": True}),
            ("k is ignored", "(1)", "D makes one step in each iteration, not k.", {"k": 1}),
            ("one iteration only", "(1)", "All this is to be done num_iterations times.", {"once": True}),
            ("G moves k times", "(5)", "G makes a step after each of D's; it should make one after all k.  See where "
             "the inner loop ends.", {"G_each": True}),
            ("G before D", "(5)", "G moves first in each iteration, against a D that is one step behind.",
             {"G_first": True})):
        for i, name in enumerate(("theta_g", "theta_d")):
            yield Mistake(kind, name, line, words, lambda I, r, g, how=how, i=i: altered_game(I, **how)[i])


ALGORITHM_1 = Exercise("ex09_algorithm_1", "Algorithm 1", [
    Task("algorithm_1", {"theta_g": "(7)", "theta_d": "(4)"},
         [{"num_iterations": 3, "k": 2, "m": 5, "d": 4}, {"num_iterations": 2, "k": 3, "m": 4, "d": 1}],
         algorithm_1, list(game_mistakes()), call=play)],
    [adversarial.discriminator_step, adversarial.generator_step, adversarial.algorithm_1],
    "descend is bprop and a step of momentum in one.  With params=False D's own gradients are not even computed.",
    needs=("ex08_two_players",))
