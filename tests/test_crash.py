"""The benchmarks that kill trainings and damage files, in short; in full they take some minutes."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [pytest.mark.numpy_only, pytest.mark.skipif(sys.platform != "linux", reason="ptrace is Linux's")]


def run(script, *arguments):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NPGAN_BACKEND": "", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, ROOT / "tests" / "benchmarks" / script, "--json", *arguments], env=env,
                          capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_and_stopped_trainings_go_on_bit_for_bit():
    found = run("crash.py", "--short", "--kills=2", "--epochs=2", "--only", "saves", "kills")
    old, new = "the older checkpoint", "the newer one"
    ways = {"within a save, at every system call": "kills", "the power cut at every call of a save": "cuts"}
    for way, times in ways.items():
        row = found[way]
        assert row[times] == row[old] + row[new] > 30 and min(row[old], row[new]) > 0
    random = found["at random moments"]
    assert random["kills"] == random["equal"] == 2 and random["most epochs lost"] <= 1


def test_a_run_interrupted_at_any_line_goes_on_or_says_why_not():
    found = run("crash.py", "--short", "--only", "lines")["interrupted at each line"]
    assert not found.pop("faults")
    assert all(row["interrupted"] > 15 and row["lame"] == 0 for row in found.values())
    assert found["SIGINT"]["equal"] == found["SIGINT"]["interrupted"]
    assert found["raised"]["restored"] > 0


def test_damaged_files_are_refused_or_read():
    found = run("damage.py", "--files=300", "--truncate=20", "--bomb=20")
    assert not found["wrong"]
    total = found["all"]
    assert total["violations"] == 0 and total["files"] > 500 and min(total["refused"], total["read"]) > 50
