"""`python -m tests.small_training SAMPLES ASKS BASE MODELS NAME…`: publish models that were trained for a few seconds each.

They have the shape, files and manifest of any model, and rank better than chance; nothing more is asked of them.
"""

import sys
from pathlib import Path

from rich.console import Console

from models.training.runtime import import_tensorflow

import_tensorflow()

from models.training.pipeline import Options, train_all  # noqa: E402
from tests.effort import SEED  # noqa: E402

if __name__ == "__main__":
    samples, asks, base, models = (Path(argument) for argument in sys.argv[1:5])
    names = tuple(sys.argv[5:])
    train_all(Options(samples, models, names, base, asks, epochs=1, effort=SEED), Console(soft_wrap=True))
