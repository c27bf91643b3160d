"""Weights between items, where nothing is known between them."""

from pathlib import Path

import numpy as np

from features.base.reader import EASE, SIMILAR
from offline.item_weights.build import write_relations


def nothing_between_items(folder: Path) -> Path:
    """A folder of such weights, made in `folder`."""
    relations = folder / "relations"
    for kind in (EASE, SIMILAR):
        no_items = np.zeros(0, np.int64)
        write_relations(relations / kind, no_items, np.zeros(1, np.int64), no_items, np.zeros(0, np.float32))
    return relations
