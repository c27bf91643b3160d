"""Which rows of a data set lists are asked for, and what each counts."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from features.schema.tables import Schema, is_act
from features.units import ends_session
from offline.datasets.dataset import whole_rows
from offline.datasets.event_rows import query_weights, row_weights
from tests.offline.drawn_events import drawn_events
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
            taken[user] = {}
        newest[user] = (ts, item, kind)
        in_hand = before_item == item and before_kind != kind
        if schema.kind(kind).click and not in_hand:
            expected[seq] = schema.weight(kind, centi)
        if weights[seq] > 0:
            first = taken[user].setdefault(item, seq)
            expected[first] = max(expected[first], weights[seq])
    assert query_weights(dataset, dataset.rows, schema).tolist() == expected.tolist()
    assert np.count_nonzero(expected) > dataset.rows // 4


def test_of_films_each_positive_rating_is_asked_for(tmp_path: Path) -> None:
    dataset = drawn_events(tmp_path / "data", MOVIES, {"rating": 1.0}, rows=1_000)
    once, weights = set[tuple[int, int]](), row_weights(dataset, 1_000, MOVIES)
    for seq, (user, item, *_) in enumerate(whole_rows(dataset, 0, 1_000)):
        if (user, item) in once:
            weights[seq] = 0
        once.add((user, item))
    assert (query_weights(dataset, 1_000, MOVIES)[weights > 0] == weights[weights > 0]).all()


def test_a_look_that_ends_in_a_purchase_counts_as_one(tmp_path: Path) -> None:
    shares = {"click": 0.5, "purchase": 0.5}
    dataset = drawn_events(tmp_path / "data", SHOP, shares)
    rows, weights = list(whole_rows(dataset, 0, dataset.rows)), query_weights(dataset, dataset.rows, SHOP)
    click, purchase = SHOP.code_of["click"], SHOP.code_of["purchase"]
    looks = {int(weights[seq]) for seq, row in enumerate(rows) if row[2] == click}
    assert looks == {0, SHOP.weight(click, 0), SHOP.weight(purchase, 0)}


def test_no_rows_ask_for_nothing(tmp_path: Path) -> None:
    dataset = drawn_events(tmp_path / "data", SHOP, {"impression": 1.0}, rows=50)
    assert query_weights(dataset, 50, SHOP).tolist() == [0] * 50
    assert query_weights(dataset, 0, SHOP).tolist() == []
