"""Vectors for recall: user and item vectors, taken apart, score as the whole model does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import nets
from models.registry import read_manifest
from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training.towers import read_item_vectors  # noqa: E402

pytestmark = pytest.mark.keras


def test_cosines_of_both_towers_are_the_models(
    fitted: Callable[[str], Any], ranking_lists: Any, staged: Callable[[str], Path]
) -> None:
    folder, whole = staged("twotower"), fitted("twotower")
    towers = read_manifest(folder).towers
    assert towers is not None
    assert [each.name for each in towers.inputs] == ["history", "history_marks", "history_gaps", "user"]
    ids, items = read_item_vectors(folder / towers.folder)
    assert ids.tolist() == whole.context.item_ids.tolist()
    assert items.shape == (len(ids), towers.width)
    rows = {name: ranking_lists.validation.inputs[name][:40] for name in nets.find("twotower").inputs}
    known = np.isin(rows["movieId"], ids)
    call = tf.saved_model.load(str(folder)).signatures[towers.signature]
    users = call(**{each.name: tf.constant(rows[each.name]) for each in towers.inputs})[towers.output].numpy()
    products = (users[known] * items[np.searchsorted(ids, rows["movieId"][known])]).sum(axis=1)
    cosines = tf.keras.Model(whole.model.input, whole.model.get_layer("cosine").output)(rows).numpy()[known, 0]
    assert known.sum() > 10
    assert products == pytest.approx(cosines, abs=1e-5)


def test_a_model_without_towers_says_so(staged: Callable[[str], Path]) -> None:
    assert read_manifest(staged("din")).towers is None
