"""Fixtures that every test module may ask for: both backends, double precision, empty folders of data."""
import pytest
import strict

from npgan import backend
from npgan.datasets import files


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
    monkeypatch.setenv("NPGAN_DATA_PATH", f"{a}{files.os.pathsep}{b}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return a, b
