"""
=================================
Figure 3: straight lines in space
=================================

Digits "obtained by linearly interpolating between coordinates in z space": in each row the first and the last picture
are fair samples G(z), and those between them are G at equal steps along the straight line from the one z to the other.
A generator that had learned digits by heart would jump from one to the next.

Reads a checkpoint, as ``mnist.py`` writes it, or the generator that comes with npgan; writes ``figure3.png``.
"""
import math

from common import CHECKPOINT, options, plain_generator

from npgan import viewer
from npgan.backend import RandomStream, asarray, xp

ROWS, COLS = 6, 12

chosen = options(__doc__, save_path="figure3.png", checkpoint=CHECKPOINT)
print(f"seed {chosen.seed}")
saved, G = plain_generator(chosen.checkpoint, RandomStream(chosen.seed))
side = math.isqrt(G.mlp.dim)
if side * side != G.mlp.dim:
    raise ValueError(f"{saved.path} makes rows of {G.mlp.dim} numbers, which are no square pictures; name another "
                     "checkpoint")

# %%
# Lines
# -----
# z = (1 - t) a + t b, for t from 0 to 1, with a and b drawn from the noise prior for each row.

a, b = G.noise(ROWS)[:, None], G.noise(ROWS)[:, None]                   # (rows, 1, nvis)
t = asarray(xp.linspace(0, 1, COLS))[:, None]                           # (cols, 1)
z = ((1 - t) * a + t * b).reshape(ROWS * COLS, -1)
sheet = viewer.grid(2 * G.fprop(z).reshape(-1, side, side) - 1, ROWS, COLS)
viewer.save(chosen.save_path, sheet.repeat(2, axis=0).repeat(2, axis=1))
print(f"wrote {chosen.save_path}")
