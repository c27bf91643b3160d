"""A walk over a history has users with the attributes that its data set knows, as requests have them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from features.base.reader import EASE, SEGMENTS, SIMILAR
from features.inputs.signals import SIGNAL_COLUMNS, find_signals, signal_matrix
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
    write_shares(relations / SEGMENTS, {"plan:gold": (np.array([5, 2]), np.array([0.5, 0.25], np.float32))})
    ids = item_ids(dataset, dataset.rows)
    walk = HistoryWalk(dataset, {item.item_id: item for item in dataset.items}, ids, relations, schema)
    orders = {}
    for user_id in (7, 8, 99):
        found = find_signals(walk.moment(user_id, 11_000 * DAY_MS))
        orders[user_id] = ids[found.orders["segments"]].tolist()
        share = signal_matrix(found, np.arange(len(ids)))[:, SIGNAL_COLUMNS.index("segments_share")]
        assert dict(zip(ids.tolist(), share.tolist(), strict=True)) == dict.fromkeys(ids.tolist(), 0) | (
            {5: 1, 2: 0.5} if user_id == 7 else {}
        )
    assert orders == {7: [5, 2], 8: [], 99: []}
