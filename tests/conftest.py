"""
Fixtures that every test module may ask for: both backends, double precision, empty folders of data.

``python -m pytest --strict-backend`` runs the suite on the stand-in for CuPy, the scripts as well, but for what tests
NumPy itself: tests marked `numpy_only`, the course, and of those that run twice the run on NumPy.  That takes
3 minutes in one process (``-n 0``).
"""
import os
import random
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # before NumPy is loaded: there is a process for each core

import pytest
import strict
from hypothesis import HealthCheck, settings

from npgan import backend
from npgan.datasets import finding

STAND_IN = Path(__file__).with_name("stand_in")

# hypothesis thinks of the same inputs in every run, and no test is judged by how long it took
settings.register_profile("fixed", derandomize=True, deadline=None, database=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


def pytest_addoption(parser):
    parser.addoption("--strict-backend", action="store_true", help="run on the stand-in for CuPy, scripts as well")
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in an order drawn with this seed")


def pytest_configure(config):
    config.addinivalue_line("markers", "numpy_only: tests NumPy itself, its speed, bits or random numbers")
    workers = config.getoption("numprocesses", None)        # each of them configures itself, from a clean environment
    if config.getoption("--strict-backend") and not workers:            # before test modules, which may make arrays
        paths = [str(STAND_IN), os.environ.get("PYTHONPATH")]
        os.environ.update(NPGAN_BACKEND="cupy", PYTHONPATH=os.pathsep.join(filter(None, paths)))
        backend.xp.module = strict.module


def pytest_ignore_collect(collection_path, config):
    """The course is in plain NumPy, on purpose."""
    return config.getoption("--strict-backend") and collection_path.name == "test_backprop_by_hand.py" or None


def pytest_collection_modifyitems(config, items):
    if config.getoption("--shuffle") is not None:
        random.Random(config.getoption("--shuffle")).shuffle(items)
    if config.getoption("--strict-backend"):
        left_out = [item for item in items if item.get_closest_marker("numpy_only")
                    or getattr(item, "callspec", None) and item.callspec.params.get("each_backend") == "numpy"]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(params=["numpy", "strict"])
def each_backend(request, monkeypatch):
    """The test runs twice: on NumPy, and on the stand-in that refuses what CuPy refuses."""
    if request.param == "strict":
        monkeypatch.setattr(backend.xp, "module", strict.module)
    return request.param


@pytest.fixture
def float64():
    """Arrays are built in double precision within the test."""
    before = backend.floatX
    backend.use(floatX="float64")
    yield
    backend.use(floatX=before)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of the user's and an empty cache, in place of those of whoever runs the tests."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    monkeypatch.setenv("NPGAN_DATA_PATH", f"{a}{finding.os.pathsep}{b}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return a, b
