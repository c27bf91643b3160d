"""Golden rows: what a version answered in training, and must answer wherever it is computed now."""

from typing import Final

import numpy as np

from features.arrays import AnyArray, FloatArray
from models.registry import Manifest

TOLERANCE: Final = 1e-3
"""A golden score may differ by this much: another machine, or another runtime, adds in another order."""


def golden_arrays(manifest: Manifest) -> tuple[dict[str, AnyArray], FloatArray]:
    """The golden rows as one batch of inputs, and their [n] expected scores."""
    inputs = {
        each.name: np.asarray([row.inputs[each.name] for row in manifest.golden], each.dtype)
        for each in manifest.inputs
    }
    return inputs, np.asarray([row.scores[0] for row in manifest.golden], np.float32)
