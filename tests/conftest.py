"""Fixtures that every test module may ask for: both backends, double precision."""
import pytest
import strict

from npgan import backend


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
