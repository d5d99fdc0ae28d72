"""
Runs the examples twice with one seed, and compares all that they write to the last bit.

The second run prints its progress to a terminal, the first to nobody.  Runs are short, those on MNIST, CIFAR-10 and the
faces, found through ``NPGAN_DATA_PATH``, on the real data.  Of what is printed and saved only times may differ;
coordination.py, which compares by time, is left out.
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

from npgan.checkpoint import archive  # noqa: E402
from npgan.datasets import finding  # noqa: E402

DIGITS = "--dataset digits --max_epochs 2"
RUNS = {                        # by the data set that they need; each, command after command, in a folder of its own
    "": ["digits.py --max_epochs 4; parzen_ll.py digits.npz --dataset digits --num_samples 200 --json result.json",
         "sick_games.py --max_epochs 2", "saturation.py --max_epochs 4", "sharp.py --max_epochs 20", "theory.py",
         "noise_gradient.py", "figure3.py", "show_weights.py", "helvetica.py --num_iterations 20",
         "figure1.py --iterations 60 --frames 4", "figure1_2d.py --iterations 60 --frames 4",
         f"conditional.py {DIGITS}", f"completion.py {DIGITS}", f"inference.py {DIGITS}",
         f"semi_supervised.py {DIGITS} --draws 1"],
    "mnist": ["mnist.py --max_epochs 1; figure2_mnist.py mnist.npz; parzen_ll.py mnist.npz --num_samples 500"],
    "cifar10": ["cifar10_fully_connected.py --scale .02 --max_epochs 1",
                "cifar10_convolutional.py --scale .05 --max_epochs 1"],
    "faces": ["tfd.py --scale .02 --repeat 4 --pretrain_epochs 1 --max_epochs 1 --num_samples 100"],
}


def play(commands, folder, seed, terminal):
    """What the `commands` write into an empty folder, and print, by name."""
    told = ""
    for command in commands.split(";"):
        script, *arguments = command.split()
        stderr = subprocess.DEVNULL
        if terminal:
            screen, stderr = os.openpty()
            threading.Thread(target=drain, args=[screen], daemon=True).start()
        done = subprocess.run([sys.executable, ROOT / "examples" / script, *arguments, "--seed", seed], cwd=folder,
                              stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=900,
                              env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})
        if terminal:
            os.close(stderr)
        assert done.returncode == 0, (command, done.returncode)
        told += done.stdout
    written = {path.name: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    for name in written:
        if name.endswith(".npz"):
            header, arrays = archive.read(Path(folder) / name)
            header = re.sub(r'"sha256": "\w+"|"train.seconds": [\d.e-]+', "", json.dumps(header))
            written[name] = header, {name: array.tobytes() for name, array in arrays.items()
                                     if not name.endswith("training_seconds_this_epoch")}
    return {**written, "printed": re.sub(r"\d+(\.\d+)? (s|seconds|minutes)\b", "", told)}


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
    for dataset, commands in [(dataset, commands) for dataset, of_it in RUNS.items() for commands in of_it]:
        name = ", ".join(re.findall(r"\w+\.py", commands))
        if not any((folder / dataset).is_dir() for folder in finding.places()):
            found[name] = f"left out: no folder {dataset}, set NPGAN_DATA_PATH"
        else:
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
                first = play(commands, one, chosen.seed, terminal=False)
                again = play(commands, other, chosen.seed, terminal=True)
            differing = [part for part in first | again if first.get(part) != again.get(part)]
            found[name] = f"differs in {', '.join(differing)}" if differing else f"equal: {', '.join(first)}"
        if not chosen.json:
            print(f"{name}: {found[name]}", flush=True)
    if chosen.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
