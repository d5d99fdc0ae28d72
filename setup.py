"""Installs npgan: ``pip install .``"""
import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
README = HERE / "README.rst"

setup(
    name="npgan",
    version=re.search(r'__version__ = "(.+)"', (HERE / "npgan" / "__init__.py").read_text(encoding="utf-8"))[1],
    description="Generative adversarial nets (Goodfellow et al., 2014) with every derivative written by hand, in NumPy",
    long_description=README.read_text(encoding="utf-8") if README.is_file() else "",
    long_description_content_type="text/x-rst",
    author="npgan developers",
    license="BSD-3-Clause",
    python_requires=">=3.9",
    install_requires=["numpy>=1.22", "scipy>=1.8", "matplotlib>=3.5"],
    extras_require={
        "test": ["pytest", "pytest-xdist", "hypothesis", "numpydoc"],
        "gpu": ["cupy-cuda12x"],
        "mpi": ["mpi4py"],
        "bench": ["torch", "jax"],
    },
    packages=["npgan", "npgan.checkpoint", "npgan.datasets", "npgan.gradient_check", "npgan.kernels", "npgan.released",
              "npgan.section7", "npgan.data"],
    package_dir={"npgan": "npgan", "npgan.data": "data"},
    package_data={"npgan.data": ["*.npy", "*.npz", "*.rst"]},
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
