"""Generative adversarial nets (Goodfellow et al., 2014) with every derivative written by hand, in plain NumPy."""

__version__ = "0.1.0"

from npgan import backend  # noqa: E402,F401    an NPGAN_BACKEND that cannot run here is told at once
