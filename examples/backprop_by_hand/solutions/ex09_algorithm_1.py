"""Exercise 9, solved."""
import numpy as np
from ex08_two_players import discriminator_grad, generator_grad


def algorithm_1(G, D, data, noise, num_iterations, k):
    for _ in range(num_iterations):
        for _ in range(k):
            z, x = noise(), data()
            a = D.fprop(np.concatenate([x, G.fprop(z)]))
            D.bprop(np.concatenate(discriminator_grad(a[:len(x)], a[len(x):])))
            D.descend()

        a = D.fprop(G.fprop(noise()))
        G.bprop(D.bprop(generator_grad(a)))
        G.descend()
