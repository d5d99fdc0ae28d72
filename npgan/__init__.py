"""Generative adversarial nets (Goodfellow et al., 2014) with every derivative written by hand, in plain NumPy."""

__version__ = "0.1.0"
