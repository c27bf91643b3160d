"""The log as a data set: events in batches become the rows that they are, whatever the batch."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.types import Event
from offline.base.log_dataset import happened
from offline.datasets.dataset import event_of, keep_dataset, open_dataset, whole_rows
from offline.datasets.taking import HISTORY
from tests.schemas import SHOP, peopled

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


def test_the_context_of_an_event_comes_back(tmp_path: Path) -> None:
    """As far as the schema names it; under one that names more, what else was said then is not known."""
    shop = peopled("shop")
    said = ['{"device":"phone","hour":7.5}', "", '{"device":"tv"}']
    events = [event(at, "anna", VIEW)._replace(context=text) for at, text in enumerate(said)]
    keep_dataset("log-3", tmp_path, happened(iter(events), shop, 2), [], {})
    dataset = open_dataset(str(tmp_path / "log-3"), tmp_path, shop)
    assert [event_of("log-3", *row).context for row in whole_rows(dataset, 0, dataset.rows)] == said
    plain = open_dataset(str(tmp_path / "log-3"), tmp_path, SHOP)
    assert [event_of("log-3", *row).context for row in whole_rows(plain, 0, plain.rows)] == ["", "", ""]


def test_a_history_of_before_says_nothing_of_circumstances(tmp_path: Path) -> None:
    keep_dataset("log-3", tmp_path, happened(iter([event(1, "anna", VIEW)]), SHOP), [], {})
    path = tmp_path / "log-3" / HISTORY
    pq.write_table(pq.read_table(path).drop_columns(["context"]), path)
    dataset = open_dataset(str(tmp_path / "log-3"), tmp_path, peopled("shop"))
    assert [row[-1] for row in whole_rows(dataset, 0, dataset.rows)] == [""]
