"""Which rows of a data set lists are asked for, and what each counts."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.schema.tables import Schema, is_act
from features.units import ends_session
from offline.datasets.dataset import Dataset, whole_rows
from offline.datasets.event_rows import query_weights, row_weights
from tests.offline.drawn_events import START, drawn_events
from tests.schemas import MOVIES, SHOP

MIXED = {"impression": 0.2, "view": 0.2, "click": 0.3, "add_to_cart": 0.1, "purchase": 0.2}


@pytest.mark.parametrize(("schema", "shares"), [(SHOP, MIXED), (MOVIES, {"rating": 0.8, "click": 0.2})])
def test_a_list_is_asked_for_before_looks_and_what_a_session_takes_up_first(
    tmp_path: Path, schema: Schema, shares: Mapping[str, float]
) -> None:
    """And counts as much as the most that the session does with it. A user acts each half hour, so sessions end now and then."""
    dataset = drawn_events(tmp_path / "data", schema, shares)
    weights = row_weights(dataset, dataset.rows, schema).tolist()
    newest: dict[int, tuple[int, int, int]] = {}
    taken: dict[int, dict[int, int]] = {}
    expected = np.zeros(dataset.rows, np.int64)
    for seq, (user, item, kind, centi, ts, *_) in enumerate(whole_rows(dataset, 0, dataset.rows)):
        if not is_act(kind):
            continue
        before_ts, before_item, before_kind = newest.get(user, (0, 0, 0))
        if ends_session(ts - before_ts):
            taken[user], before_item = {}, 0
        newest[user] = (ts, item, kind)
        own = schema.weight(kind, centi)
        is_look = schema.kind(kind).click and own > 0 and not (before_item == item and before_kind != kind)
        if is_look:
            expected[seq] = own
        if is_look or weights[seq] > 0:
            first = taken[user].setdefault(item, seq)
            expected[first] = max(expected[first], weights[seq], own if is_look else 0)
    assert query_weights(dataset, dataset.rows, schema).tolist() == expected.tolist()
    assert np.count_nonzero(expected) > dataset.rows // 4


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ("0 click 7, 1 purchase 7", "8 0"),
        ("0 click 7, 1 click 8, 100 click 7, 101 purchase 7", "2 2 8 0"),  # the second look is no repeat to a list
        ("0 click 7, 1 add_to_cart 7, 100 click 7, 101 purchase 7", "4 0 8 0"),  # nothing is in hand since yesterday
        ("0 click 7, 1 view 7, 2 click 8, 3 click 7", "2 0 2 2"),
        ("0 click 7, 1 click 7", "2 2"),
        ("0 purchase 7, 1 purchase 8, 2 purchase 7", "8 8 0"),
        ("0 click 7, 1 impression 8, 2 purchase 7", "8 0 0"),
        ("0 dislike 7, 1 click 7", "0 2"),
    ],
)
def test_a_look_a_cart_and_a_purchase_are_one_answer(tmp_path: Path, acts: str, expected: str) -> None:
    """Minutes, kinds and items of one user's acts, and what the list before each counts, in eighths of a purchase."""
    table = []
    for act in acts.split(", "):
        minute, kind, item = act.split()
        table.append((1, int(item), SHOP.code_of[kind], 0, START + int(minute) * 60_000, "", ""))
    columns = ("user_id", "item_id", "kind", "centi", "ts", "user", "item")
    pq.write_table(pa.table(dict(zip(columns, map(list, zip(*table, strict=True)), strict=True))), tmp_path / "rows")
    dataset = Dataset("acts", tmp_path / "rows", [], len(table), START, START)
    eighth = SHOP.weight(SHOP.code_of["purchase"], 0) // 8
    assert (query_weights(dataset, len(table), SHOP) / eighth).tolist() == [float(each) for each in expected.split()]


def test_no_rows_ask_for_nothing(tmp_path: Path) -> None:
    dataset = drawn_events(tmp_path / "data", SHOP, {"impression": 1.0}, rows=50)
    assert query_weights(dataset, 50, SHOP).tolist() == [0] * 50
    assert query_weights(dataset, 0, SHOP).tolist() == []
