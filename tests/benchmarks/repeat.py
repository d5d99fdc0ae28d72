"""
Runs the examples that need no data set of others twice with one seed, and compares all that they write to the last bit.

The second run prints its progress to a terminal, the first to nobody.  Runs are short.  Of what is printed and saved
only times may differ.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from npgan import archive  # noqa: E402

SCRIPTS = {
    "digits.py": ["--max_epochs", "4"], "sick_games.py": ["--max_epochs", "2"], "saturation.py": ["--max_epochs", "4"],
    "sharp.py": ["--max_epochs", "20"], "theory.py": [], "noise_gradient.py": [], "figure3.py": [],
    "helvetica.py": ["--num_iterations", "20"], "figure1.py": ["--iterations", "60", "--frames", "4"],
    "figure1_2d.py": ["--iterations", "60", "--frames", "4"], "show_weights.py": []}


def play(script, arguments, folder, terminal):
    """What a script writes into an empty folder, and prints, by name."""
    stderr = subprocess.DEVNULL
    if terminal:
        screen, stderr = os.openpty()
        threading.Thread(target=drain, args=[screen], daemon=True).start()
    done = subprocess.run([sys.executable, ROOT / "examples" / script, *arguments], cwd=folder, stdout=subprocess.PIPE,
                          stderr=stderr, text=True, timeout=900,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})
    if terminal:
        os.close(stderr)
    assert done.returncode == 0, (script, done.returncode)
    written = {path.name: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    for name in written:
        if name.endswith(".npz"):
            header, arrays = archive.read(Path(folder) / name)
            told = re.sub(r'"training_seconds_this_epoch": \[.*?\]|"train.seconds": [\d.e-]+', "", json.dumps(header))
            written[name] = told, {name: array.tobytes() for name, array in arrays.items()}
    return {**written, "printed": re.sub(r"\d+(\.\d+)? (s|seconds|minutes)\b", "", done.stdout)}


def drain(screen):
    """Read what comes to a terminal, until nobody writes to it."""
    with suppress(OSError):
        while os.read(screen, 4096):
            pass
    os.close(screen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen, found = parser.parse_args(), {}
    for script, arguments in SCRIPTS.items():
        arguments = [*arguments, "--seed", chosen.seed]
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            first, again = play(script, arguments, one, False), play(script, arguments, other, True)
        differing = [name for name in first | again if first.get(name) != again.get(name)]
        found[script] = f"differs in {', '.join(differing)}" if differing else f"equal: {', '.join(first)}"
        if not chosen.json:
            print(f"{script:20} {found[script]}", flush=True)
    if chosen.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
