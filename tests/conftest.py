"""
What all test modules share: the options --strict-backend and --shuffle, double precision, empty data folders.

``python -m pytest`` runs the suite on NumPy.  ``python -m pytest --strict-backend`` runs it, scripts included, on the
stand-in for CuPy in ``strict.py``, except the tests marked `numpy_only` and the course in plain NumPy.
"""
import os
import random
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # before NumPy is loaded: each core has a process of its own

import pytest
import strict
from hypothesis import HealthCheck, settings

from npgan import backend

STAND_IN = Path(__file__).with_name("stand_in")

# hypothesis draws the same inputs in every run, and no test is judged by its time
settings.register_profile("fixed", derandomize=True, deadline=None, database=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


def pytest_addoption(parser):
    parser.addoption("--strict-backend", action="store_true", help="run on the stand-in for CuPy, scripts included")
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in an order drawn with this seed")


def pytest_configure(config):
    config.addinivalue_line("markers", "numpy_only: tests NumPy itself, or what does not depend on the backend")
    workers = config.getoption("numprocesses", None)        # each worker configures itself, in a clean environment
    if config.getoption("--strict-backend") and not workers:        # before test modules, which may make arrays
        paths = [str(STAND_IN), os.environ.get("PYTHONPATH")]
        os.environ.update(NPGAN_BACKEND="cupy", PYTHONPATH=os.pathsep.join(filter(None, paths)))
        backend.xp.module = strict.module


def pytest_ignore_collect(collection_path, config):
    """Leave the course in plain NumPy out of a run on the stand-in."""
    return config.getoption("--strict-backend") and collection_path.name == "test_backprop_by_hand.py" or None


def pytest_collection_modifyitems(config, items):
    if config.getoption("--shuffle") is not None:
        random.Random(config.getoption("--shuffle")).shuffle(items)
    if config.getoption("--strict-backend"):
        left_out = [item for item in items if item.get_closest_marker("numpy_only")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def float64():
    """Make arrays in double precision within the test."""
    before = backend.floatX
    backend.use(floatX="float64")
    yield
    backend.use(floatX=before)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Make two data folders and an empty cache, which replace the user's own."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    monkeypatch.setenv("NPGAN_DATA_PATH", f"{a}{os.pathsep}{b}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return a, b
