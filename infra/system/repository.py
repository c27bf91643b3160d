"""The root folder of this repository."""

from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
