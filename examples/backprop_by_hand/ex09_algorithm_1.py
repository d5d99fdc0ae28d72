"""
Exercise 9: Algorithm 1                                                                               (15 minutes)

A player, G or D, is a chain of layers, and can do three things:

    h  = player.fprop(s)     the forward pass, rows (m, nvis) to rows (m, dim)
    ds = player.bprop(dh)    the backward pass of the latest fprop: returns dC/ds, keeps dC/dtheta of its own layers
    player.descend()         a step of momentum down the dC/dtheta that its latest bprop kept

    z (m, nvis) -> G.fprop -> G(z) (m, d) -> D.fprop -> a (m, 1)           forward
                   G.bprop <- dC/dG(z)    <- D.bprop <- dC/da (m, 1)       backward

Algorithm 1, num_iterations times:

    (1)  k times: draw m noise samples z = noise() and m examples x = data()
    (2)      show D both at once, the m data rows on top of the m samples: 2m rows, 2m logits a
    (3)      cut a in two, dC_D/da by exercise 8, put the two on top of each other again, hand them to D.bprop
    (4)      D descends; G does not move
    (5)  then once: draw m fresh noise samples z = noise(), and show D the samples G(z) alone
    (6)      dC_G/da by exercise 8 goes back through D, and what comes out below, dC/dG(z), goes back through G
    (7)      G descends; D does not move: its bprop has kept a dC/dtheta in (6), which nobody uses

Your step: (1) to (7) in code, a line or two for each.  np.concatenate([above, below]) puts rows on top of each other.
"""
import numpy as np
from ex08_two_players import discriminator_grad, generator_grad


def algorithm_1(G, D, data, noise, num_iterations, k):
    """
    Nothing returned; the players G and D have moved.

    data() gives m fresh examples (m, d), and noise() gives m fresh noise samples (m, nvis).

    >>> class Counter:                      # a player that only counts its steps
    ...     steps = 0
    ...     def fprop(self, s):
    ...         return s
    ...     def bprop(self, dh):
    ...         return dh
    ...     def descend(self):
    ...         self.steps += 1
    >>> G, D = Counter(), Counter()
    >>> algorithm_1(G, D, data=lambda: np.zeros((3, 1)), noise=lambda: np.zeros((3, 1)), num_iterations=5, k=2)
    >>> G.steps, D.steps
    (5, 10)
    """
    raise NotImplementedError
