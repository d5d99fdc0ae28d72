"""
=====================================================
Backprop by hand: what flows where, and in what shape
=====================================================

Draws the computation graph of Algorithm 1, with the shape at every arrow, and the way of dC back through D into G, for
the nets that ``check.py gan`` trains.

Reads nothing, writes ``backprop_graph.png`` and ``backprop_flow.png``.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common
import script_errors

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from npgan import viewer

script_errors.install()
style.use("default")
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--save_path", type=common.writable_folder, default=".",
                    help="the folder to write into, default this one")
folder = Path(parser.parse_args().save_path)

FORWARD, BACK = "#000000", "#B03A00"            # solid and black; dashed and dark red
OF_G, OF_D, OF_NONE = "#BBD9EE", "#FBE6B0", "#FFFFFF"           # G darker than D, in grey too
WORDS, SMALL = 19, 16.5


def sheet(width, height):
    """A figure, and axes in inches with y downwards."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def box(axes, x, y, words, color, width=1.3, height=1.):
    """A box around the point x, y."""
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, facecolor=color, linewidth=1.8,
                                  boxstyle="round,pad=0,rounding_size=.12"))
    axes.text(x, y, words, ha="center", va="center", fontsize=WORDS, linespacing=1.2)


def arrow(axes, start, end, words="", back=False, at=None, ha="center", va=None, bend=None):
    """An arrow, with words beside its middle: above it if forward, below it if backward."""
    style = {"arrowstyle": "-|>,head_width=.35,head_length=.7", "color": BACK if back else FORWARD, "linewidth": 2.4,
             "linestyle": (0, (3, 1.5)) if back else "-", "shrinkA": 0, "shrinkB": 0}
    if bend:
        style["connectionstyle"] = bend
    axes.annotate("", end, start, arrowprops=style)
    x, y = at or ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + (.1 if back else -.1))
    tell(axes, x, y, words, back, ha=ha, va=va or ("top" if back else "bottom"))


def tell(axes, x, y, words, back=False, **style):
    """Words, in the colour of what they speak of."""
    axes.text(x, y, words, fontsize=SMALL, color=BACK if back else FORWARD, linespacing=1.2, **style)


# %%
# Algorithm 1
# -----------
# Above the step of D, below that of G.  The forward passes are solid; what comes back is dashed, and has the shape of
# what it is the gradient of.

figure, axes = sheet(14, 8.5)
G, D, C = 4.2, 8.95, 12.9
for top, title in ((.45, "k times, a step of D"), (4.95, "then once, a step of G")):
    axes.text(.3, top, title, fontsize=WORDS + 4, fontweight="bold", va="center")
axes.plot([.3, 13.7], [4.45, 4.45], color="#888888", linewidth=1)

y = 2.2
box(axes, G, y - .65, "G", OF_G, 1.5)
box(axes, D, y, "D", OF_D, 1.8, 1.4)
box(axes, C, y, "$C_D$", OF_NONE, 1.1, 1.4)
box(axes, 6.3, y, "", OF_NONE, .5, 2.3)
axes.text(6.3, y, "x on top", fontsize=SMALL, rotation=90, ha="center", va="center")
arrow(axes, (.5, y - .65), (G - .75, y - .65), "fresh noise z (m, 50)")
arrow(axes, (G + .75, y - .65), (6.05, y - .65), "G(z)\n(m, 64)")
arrow(axes, (.5, y + .65), (6.05, y + .65), "data x (m, 64)")
arrow(axes, (6.55, y - .25), (D - .9, y - .25), "(2m, 64)")
arrow(axes, (D + .9, y - .25), (C - .55, y - .25), "logits a (2m, 1)")
arrow(axes, (C - .55, y + .25), (D + .9, y + .25), "$dC_D/da$ (2m, 1)", back=True)
arrow(axes, (D, y + .7), (D, y + 1.4), "$dC_D/d\\theta_d$, 37,861 numbers: D descends, G stays", back=True,
      at=(D, y + 1.5))

y = 6.4
box(axes, G, y, "G", OF_G, 1.5, 1.4)
box(axes, D, y, "D\nheld fixed", OF_D, 1.8, 1.4)
box(axes, C, y, "$C_G$", OF_NONE, 1.1, 1.4)
arrow(axes, (.5, y - .25), (G - .75, y - .25), "fresh noise z (m, 50)")
arrow(axes, (G + .75, y - .25), (D - .9, y - .25), "samples G(z) (m, 64)")
arrow(axes, (D + .9, y - .25), (C - .55, y - .25), "logits a (m, 1)")
arrow(axes, (C - .55, y + .25), (D + .9, y + .25), "$dC_G/da$ (m, 1)", back=True)
arrow(axes, (D - .9, y + .25), (G + .75, y + .25), "$dC_G/dG(z)$ (m, 64)", back=True)
arrow(axes, (G, y + .7), (G, y + 1.4), "$dC_G/d\\theta_g$, 63,264 numbers: G descends, D stays", back=True,
      at=(G, y + 1.5))
viewer.save(folder / "backprop_graph.png", figure)

# %%
# Back through D into G
# ---------------------
# Layer by layer, in G's step.  Below each box what it makes of the dC that comes to it.

figure, axes = sheet(17, 8.6)
xs = [3 + 2.45 * i for i in range(6)]
WIDE = .68                                              # half a box
y, y2 = 1.85, 6.05
layers = [("affine", "$dz\\, W^T$"), ("rectifier", "$dh \\cdot$ mask"), ("affine", "$dz\\, W^T$"),
          ("rectifier", "$dh \\cdot$ mask"), ("affine", "$dz\\, W^T$"), ("sigmoid", "$dh \\cdot h(1-h)$")]
shapes = ["z\n(m, 50)", "(m, 200)", "(m, 200)", "(m, 200)", "(m, 200)", "(m, 64)"]
grads = iter(("dW (50, 200)\ndb (200,)", "dW (200, 200)\ndb (200,)", "dW (200, 64)\ndb (64,)"))
axes.text(.3, .5, "G", fontsize=WORDS + 8, fontweight="bold", va="center")
axes.text(1., .5, "from left to right: all dW and db go to momentum", fontsize=WORDS, va="center")
for i, (x, (name, rule), shape) in enumerate(zip(xs, layers, shapes)):
    box(axes, x, y, name, OF_G, 2 * WIDE, 1.1)
    left = x - WIDE - 1.1 if i == 0 else xs[i - 1] + WIDE
    arrow(axes, (left, y - .25), (x - WIDE, y - .25), shape)
    if i:
        arrow(axes, (x - WIDE, y + .25), (left, y + .25), back=True)
    tell(axes, x, y + .65, rule, True, ha="center", va="top")
    if name == "affine":
        arrow(axes, (x, y + 1.08), (x, y + 1.65), next(grads), back=True, at=(x, y + 1.72))

edge = xs[-1] + WIDE
arrow(axes, (edge, y - .25), (edge, y2 - .25), "G(z)\n(m, 64)", at=(edge + .08, 3.95), ha="right", va="center",
      bend="arc,angleA=0,angleB=0,armA=70,armB=70,rad=12")
arrow(axes, (edge, y2 + .25), (edge, y + .25), back=True, bend="arc,angleA=0,angleB=0,armA=36,armB=36,rad=12")
layers = [("dropout", "$dh \\cdot$ mask $/p$"), ("affine", "$dz\\, W^T$"), ("maxout", "$dh$ to\nthe winner"),
          ("the three\nagain", ""), ("dropout", "$dh \\cdot$ mask $/p$"), ("affine", "$dz\\, W^T$")]
shapes = ["", "(m, 64)", "(m, 300)", "(m, 60)", "(m, 60)", "(m, 60)"]
axes.text(.3, 4.75, "D", fontsize=WORDS + 8, fontweight="bold", va="center")
axes.text(1., 4.75, "from right to left, held fixed: its own dW and db are not used", fontsize=WORDS, va="center")
for i, (x, (name, rule), shape) in enumerate(zip(reversed(xs), layers, shapes)):
    box(axes, x, y2, name, OF_D, 2 * WIDE, 1.1)
    if i:
        right = xs[::-1][i - 1] - WIDE
        arrow(axes, (right, y2 - .25), (x + WIDE, y2 - .25), shape)
        arrow(axes, (x + WIDE, y2 + .25), (right, y2 + .25), back=True)
    tell(axes, x, y2 + .65, rule, True, ha="center", va="top")
box(axes, .8, y2, "$C_G$", OF_NONE, .9, 1.1)
arrow(axes, (xs[0] - WIDE, y2 - .25), (1.25, y2 - .25), "a (m, 1)")
arrow(axes, (1.25, y2 + .25), (xs[0] - WIDE, y2 + .25), back=True)
tell(axes, .3, y2 + .65, "$-\\sigma(-a)/m$", True, ha="left", va="top")
arrow(axes, (.4, 8.1), (1.4, 8.1))
tell(axes, 1.6, 8.1, "forward, with the shape of what flows", va="center")
arrow(axes, (8.9, 8.1), (7.9, 8.1), back=True)
tell(axes, 9.1, 8.1, "back: dC by the same thing, in the same shape", True, va="center")
viewer.save(folder / "backprop_flow.png", figure)
print(f"wrote backprop_graph.png and backprop_flow.png into {folder}")
