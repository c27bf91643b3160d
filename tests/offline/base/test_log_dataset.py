"""The log as a data set: events in batches become the rows that they are, whatever the batch."""

from pathlib import Path

import pytest

from features.types import Event
from offline.base.log_dataset import happened
from offline.datasets.dataset import event_of, keep_dataset, open_dataset, whole_rows
from tests.schemas import SHOP

AT = 1_700_000_000_000
PURCHASE, VIEW = SHOP.code_of["purchase"], SHOP.code_of["view"]


def event(number: int, user: int | str, kind: int, centi: int = 0) -> Event:
    outer = user if isinstance(user, str) else ""
    at = AT + number * 1_000
    return Event(f"e{number}", kind, SHOP.ids.inside(user), number, centi, "", at, None, None, outer, "")


@pytest.mark.parametrize("size", [1, 2, 65_536])
def test_events_come_back_as_they_were(tmp_path: Path, size: int) -> None:
    events = [event(1, "anna", VIEW), event(2, 7, PURCHASE, 250), event(3, "bert", VIEW), event(4, "anna", VIEW)]
    keep_dataset("log-3", tmp_path, happened(iter(events), SHOP, size), [], {"purchase": "money"})
    dataset = open_dataset(str(tmp_path / "log-3"), tmp_path, SHOP)
    assert (dataset.name, dataset.clock) == ("log-3", "wall")
    found = [event_of(dataset.name, *row) for row in whole_rows(dataset, 0, dataset.rows)]
    key = [(each.user_id, each.user, each.item_id, each.kind, each.centi, each.ts) for each in found]
    assert key == [(each.user_id, each.user, each.item_id, each.kind, each.centi, each.ts) for each in events]


def test_a_log_without_events(tmp_path: Path) -> None:
    keep_dataset("log-1", tmp_path, happened(iter(()), SHOP), [], {})
    assert open_dataset(str(tmp_path / "log-1"), tmp_path, SHOP).rows == 0
