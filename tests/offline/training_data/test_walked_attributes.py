"""A walk over a history has users with the attributes that its data set knows, and rows with their context, as requests have
them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.base.reader import EASE, SEGMENTS, SIMILAR
from features.inputs.signals import SIGNAL_COLUMNS, find_signals, signal_matrix
from features.types import RATING
from features.units import DAY_MS
from offline.datasets.dataset import open_dataset
from offline.datasets.user_profiles import PROFILES, write_profiles
from offline.item_weights.build import write_relations
from offline.item_weights.segment_shares import write_shares
from offline.training_data.history_walk import HistoryWalk, item_ids
from tests.offline.conftest import Row
from tests.schemas import peopled


def test_lists_know_what_users_of_the_same_attributes_like(
    tmp_path: Path, write_folder: Callable[..., Path], some_rows: list[Row]
) -> None:
    schema, relations = peopled("movies"), tmp_path / "relations"
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data", schema)
    write_profiles([(7, '{"plan":"gold"}'), (99, '{"insider":true}')], dataset.ratings.parent / PROFILES)
    nothing = np.zeros(0, np.int64)
    for kind in (EASE, SIMILAR):
        write_relations(relations / kind, nothing, np.zeros(1, np.int64), nothing, np.zeros(0, np.float32))
    shares = {
        "plan:gold": (np.array([5, 2]), np.array([0.5, 0.25], np.float32)),
        "context.device:phone": (np.array([4]), np.array([0.75], np.float32)),
    }
    write_shares(relations / SEGMENTS, shares)
    ids = item_ids(dataset, dataset.rows)
    walk = HistoryWalk(dataset, {item.item_id: item for item in dataset.items}, ids, relations, schema)
    orders = {}
    phone = '{"device":"phone"}'
    shares_of: dict[tuple[int, str], dict[int, float]] = {
        (7, ""): {5: 1, 2: 0.5},
        (8, phone): {4: 1},
        (7, phone): {4: 1, 5: 0.5 / 0.75, 2: 0.25 / 0.75},
    }
    for user_id, context in ((7, ""), (8, ""), (99, ""), (7, phone), (8, phone)):
        found = find_signals(walk.moment((user_id, 1, RATING, 0, 11_000 * DAY_MS, "", "", context)))
        orders[user_id, context] = ids[found.orders["segments"]].tolist()
        share = signal_matrix(found, np.arange(len(ids)))[:, SIGNAL_COLUMNS.index("segments_share")]
        expected = dict.fromkeys(ids.tolist(), 0.0) | shares_of.get((user_id, context), {})
        assert dict(zip(ids.tolist(), share.tolist(), strict=True)) == pytest.approx(expected)
    assert orders == {(7, ""): [5, 2], (8, ""): [], (99, ""): [], (7, phone): [4, 5, 2], (8, phone): [4]}
