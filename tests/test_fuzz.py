"""The fuzzer without its package, which few people have."""
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "benchmarks" / "fuzz.py"


@pytest.mark.skipif(importlib.util.find_spec("atheris") is not None, reason="atheris is installed")
def test_without_atheris_it_explains_itself_and_names_the_package():
    done = subprocess.run([sys.executable, FUZZ, "--help"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().endswith("the package atheris is not installed: python -m pip install atheris")
