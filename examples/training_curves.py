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

from common import options

from matplotlib.figure import Figure

from npgan import checkpoint, viewer

chosen = options(__doc__, save_path="training_curves.png", checkpoints={"nargs": "+"})
runs = {path: checkpoint.load(path) for path in chosen.checkpoints}
for path, run in runs.items():
    if len(run.history.get("valid_log_likelihood", ())) < 2:
        raise ValueError(f"{path}: expected a checkpoint that mnist.py wrote after five epochs or more, found one "
                         "without the log-likelihood of validation rows")

# %%
# Each as far as it has come
# --------------------------
# Runs are told apart by their seeds, or where these are the same by their files.

histories = [run.history for run in runs.values()]
epochs = max((history["valid_log_likelihood_epoch"] for history in histories), key=len)
seeds = [run.header["run"]["seeds"][0][0] for run in runs.values()]
labels = ([f"seed {seed}" for seed in seeds] if len(set(seeds)) == len(seeds) else [Path(path).stem for path in runs])
likelihoods = {label: history["valid_log_likelihood"][1:] for label, history in zip(labels, histories)}

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
thin = any("valid_log_likelihood_last_update" in history for history in histories)
unit = "nats; thin: not averaged" if thin else "nats"
viewer.curves(left, epochs[1:], likelihoods, f"validation log-likelihood ({unit})")
for line, history in zip(left.get_lines(), histories):
    values = history.get("valid_log_likelihood_last_update", ())[1:]
    left.plot(epochs[1:len(values) + 1], values, color=line.get_color(), linestyle=line.get_linestyle(), linewidth=.8)
right.axhline(.5, color="#AAAAAA", linewidth=.8)
viewer.curves(right, histories[0]["epoch"], {"D(x)": histories[0]["valid_d_on_data"],
                                             "D(G(z))": histories[0]["valid_d_on_samples"]}, "mean output of D")
right.set_ylim(0, 1)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
for label, history in zip(labels, histories):
    last = history.get("valid_log_likelihood_last_update")
    print(f"{label}, epoch {history['valid_log_likelihood_epoch'][-1]}: {history['valid_log_likelihood'][-1]:.1f} nats"
          + (f", not averaged {last[-1]:.1f}" if last else ""))
