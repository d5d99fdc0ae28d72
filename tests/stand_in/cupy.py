"""The stand-in under CuPy's name: with this folder in PYTHONPATH ``--backend cupy`` runs on tests/strict.py."""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import strict  # noqa: E402

sys.modules["cupy"] = strict.module
