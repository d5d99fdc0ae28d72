"""
==================
Table 1, continued
==================

Prints Table 1 of Goodfellow et al. (2014), and below it our results with npgan: Parzen window-based log-likelihood
estimates of the test set, in nats, with their standard errors.

Reads files that ``parzen_ll.py --json`` wrote, by default those in ``figures`` beside this script.
"""
import argparse
import json
import math
from pathlib import Path

import common  # noqa: F401    which reports a missing package in one line
import script_errors

from npgan.files import printable

PAPER = {
    "DBN": ("138 +- 2", "1909 +- 66"),
    "Stacked CAE": ("121 +- 1.6", "2110 +- 50"),
    "Deep GSN": ("214 +- 1.1", "1890 +- 29"),
    "Adversarial nets": ("225 +- 2", "2057 +- 26"),
}
COMMAND = "python examples/parzen_ll.py mnist.npz --json examples/figures/mnist.json"


def measured(path):
    """Return the result in the file `path`, a dict whose numbers are checked."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        numbers = [result[name] for name in ("mean", "standard_error", "sigma", "num_samples")]
        if not all(map(math.isfinite, numbers)) or not isinstance(result["dataset"], str):
            raise ValueError(f"{numbers} of {result['dataset']!r}")
        return result
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        found = printable(f"{error} ({type(error).__name__})")
        raise ValueError(f"{path}: expected a result of parzen_ll.py, found {found}; measure it again: "
                         f"{COMMAND}") from error


script_errors.install()
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("files", nargs="*", type=Path, metavar="FILE.json")
paths = parser.parse_args().files or sorted((Path(__file__).parent / "figures").glob("*.json"))
results = {path: measured(path) for path in paths}

# %%
# As printed
# ----------

print(f"{'Model':<32}{'MNIST':<16}TFD")
for model, columns in PAPER.items():
    print(f"{model:<32}{columns[0]:<16}{columns[1]}")

# %%
# As measured
# -----------

print()
for path, row in results.items():
    if row["dataset"] != "mnist":
        print(printable(f"{path.name} is left out: Table 1 has no {row['dataset']}"))
        continue
    run = ", ".join(["npgan", *(f"{name} {row[name]}" for name in ("seed", "epoch") if row.get(name) is not None)])
    run += "" if row.get("average", True) else ", raw"
    score = f"{row['mean']:.1f} +- {row['standard_error']:.1f}"
    print(f"{printable(run):<32}{score:<16}{'-':<16}sigma {row['sigma']:.3f}, {row['num_samples']} samples")
if not results:
    print(f"No result has been measured yet: {COMMAND}")
