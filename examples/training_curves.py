"""
===========================
How runs went, side by side
===========================

Draws what trainings recorded of themselves: on the left the log-likelihood of the first 1,000 validation rows under
samples of the averaged G, run by run, the sigma of each point the best of the authors' ten, and in thin lines that of G
after its last update; on the right, for the first run, the mean of D over validation rows and over samples, which are
both 1/2 once p_g = p_data (Section 4.1).

Reads one to four checkpoints of ``mnist.py``, writes ``training_curves.png``.
"""
from pathlib import Path

from common import file_path, options

import numpy as np
from matplotlib.figure import Figure

from npgan import checkpoint, viewer
from npgan.checkpoint.archive import errors_naming
from npgan.files import printable

LAST_UPDATE = "valid_log_likelihood_last_update"                # missing in older checkpoints
CHANNELS = {"epoch": ["valid_d_on_data", "valid_d_on_samples"],
            "valid_log_likelihood_epoch": ["valid_log_likelihood", LAST_UPDATE]}

chosen = options(__doc__, save_path="training_curves.png", checkpoints={"nargs": "+", "type": file_path})


def recorded(path):
    """Return the seed of the run in the checkpoint `path`, and the channels to draw, arrays by name."""
    run = checkpoint.load(path)
    if len(run.history.get("valid_log_likelihood", ())) < 2:
        raise ValueError(f"{path}: expected a checkpoint that mnist.py wrote after five epochs or more, found one "
                         "without the log-likelihood of validation rows")
    with errors_naming(path):
        seed, channels = run.header["run"]["seeds"][0][0], {}
        if type(seed) is not int:
            raise TypeError(f"a seed of {str(seed)[:40]!r}")
        for epochs, names in CHANNELS.items():
            for name in (epochs, *names):
                if name != LAST_UPDATE or name in run.history:
                    channels[name] = np.array(run.history[name], float)
                    if len(channels[name]) != len(channels[epochs]):
                        raise ValueError(f"{len(channels[name])} values of {name} at {len(channels[epochs])} epochs")
        return seed, channels


runs = {path: recorded(path) for path in chosen.checkpoints}

# %%
# Each run to its latest epoch
# ----------------------------
# Runs are labelled by their seeds; if these are equal, by the names of their files; otherwise by their paths.

seeds, histories = zip(*runs.values())
epochs = max((history["valid_log_likelihood_epoch"] for history in histories), key=len)
names = [f"seed {seed}" for seed in seeds], [Path(path).stem for path in runs], list(runs)
labels = [printable(label) for label in next(each for each in names if len(set(each)) == len(runs))]
likelihoods = {label.replace("$", r"\$"): history["valid_log_likelihood"][1:]           # $ begins a formula
               for label, history in zip(labels, histories)}

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
thin = any(LAST_UPDATE in history for history in histories)
unit = "nats; thin: not averaged" if thin else "nats"
viewer.curves(left, epochs[1:], likelihoods, f"validation log-likelihood ({unit})")
for line, history in zip(left.get_lines(), histories):
    own = history["valid_log_likelihood_epoch"][1:]             # the last epoch of a run is measured too
    line.set_xdata(own)
    if len(own) == 1:                                           # a line through one point would be invisible
        line.set_marker("o")
    values = history.get(LAST_UPDATE, ())[1:]
    left.plot(own[:len(values)], values, color=line.get_color(), linestyle=line.get_linestyle(), linewidth=.8)
left.relim()
left.autoscale_view()
right.axhline(.5, color="#AAAAAA", linewidth=.8)
viewer.curves(right, histories[0]["epoch"], {"D(x)": histories[0]["valid_d_on_data"],
                                             "D(G(z))": histories[0]["valid_d_on_samples"]}, "mean output of D")
right.set_ylim(0, 1)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
for label, history in zip(labels, histories):
    raw = f", not averaged {history[LAST_UPDATE][-1]:.1f}" if LAST_UPDATE in history else ""
    print(f"{label}, epoch {history['valid_log_likelihood_epoch'][-1]:.0f}: "
          f"{history['valid_log_likelihood'][-1]:.1f} nats{raw}")
