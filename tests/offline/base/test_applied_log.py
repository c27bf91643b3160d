"""What is exported, or learned from anew, is what the fold has counted: for each user as many events of each kind."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.base.reader import Base
from features.clock import Clock
from features.fold.state import decode_stored_user, decode_user
from features.types import FORGET_USER, UNDO, Event, UserId
from offline.base.applied_log import AppliedLog
from offline.base.from_dataset import make_base
from offline.base.from_log import spans_of
from offline.base.log_dataset import take_log
from offline.datasets.dataset import Dataset, event_of, open_dataset, whole_rows
from offline.datasets.user_profiles import read_profiles
from tests.offline.conftest import Row
from tests.offline.small_log import HORIZON, WALL, FileLog, SmallLog
from tests.pure_fold import Reference
from tests.schemas import peopled

pytestmark = pytest.mark.spark

Write = Callable[..., Path]
CLOCK = Clock(HORIZON, WALL - 1000)


@pytest.fixture
def dataset(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> Dataset:
    return open_dataset(str(write_folder(some_rows)), tmp_path / "data")


def counts_of(reference: Reference) -> Counter[tuple[UserId, int]]:
    """(user, kind) → events, as the features have them."""
    counts: Counter[tuple[UserId, int]] = Counter()
    for user_id, stored in reference.users().items():
        for kind, count in enumerate(decode_user(decode_stored_user(stored).features).counts):
            if kind not in (UNDO, FORGET_USER):
                counts[user_id, kind] = count
    return +counts


def test_it_is_what_the_fold_has_counted(spark: Any, tmp_path: Path, dataset: Dataset, some_rows: list[Row]) -> None:
    schema = peopled("movies")
    make_base(spark, dataset, 0.5, tmp_path / "bases" / "1", schema)
    base = Base(tmp_path / "bases" / "1")
    log, files = SmallLog(schema=schema), FileLog(tmp_path)
    log.go_on(900, some_rows[:200])
    log.go_beyond_memory()
    log.go_on(300, some_rows[:200])
    files.write(log.records)
    applied = AppliedLog(base, files, spans_of(base, {"events": log.ends()["events"]}), CLOCK)
    reference = Reference(base, CLOCK)
    reference.feed(log.records, base.offsets, log.ends())
    history, events = list(applied.history(dataset)), list(applied.events())
    found = Counter((event.user_id, event.kind) for event in (*history, *events))
    assert found == counts_of(reference)
    assert 0 < len(history) < dataset.rows // 2, "rows were taken back, and a user forgotten"
    assert applied.forgotten
    users = (decode_user(decode_stored_user(stored).features) for stored in reference.users().values())
    told = {user.user_id: user.attributes for user in users if user.attributes}
    assert dict(applied.profiles()) == told
    assert len(told) > 1
    assert any(event.user == "anna" and event.item == "SKU-1" for event in events)


def test_the_log_becomes_a_data_set(spark: Any, tmp_path: Path, dataset: Dataset, some_rows: list[Row]) -> None:
    """By a shop's schema: values, kinds and ids outside come through, in the order of time, and users' attributes."""
    shop = peopled("shop")
    make_base(spark, dataset, 0.5, tmp_path / "bases" / "1", shop)
    base = Base(tmp_path / "bases" / "1")
    log, files = SmallLog(schema=shop), FileLog(tmp_path)
    log.go_on(800, some_rows[:200])
    files.write(log.records)
    applied = AppliedLog(base, files, spans_of(base, {"events": log.ends()["events"]}), CLOCK)
    taken = take_log("log-2", tmp_path / "data", dataset, applied, dataset.items, shop)
    expected = [*applied.history(dataset), *applied.events()]
    rows = [event_of("log-2", *row) for row in whole_rows(taken, 0, taken.rows)]

    def essence(event: Event) -> tuple[Any, ...]:
        return (event.user_id, event.item_id, event.kind, event.user, event.item)

    assert Counter(map(essence, rows)) == Counter(map(essence, expected))
    assert taken.duplicates == 0
    assert len({event.event_id for event in rows}) == len(rows)
    assert [event.ts for event in rows] == sorted(event.ts for event in rows)
    assert {event.centi for event in rows} >= {0, 50, 1_000, 6_000, 70_000}
    assert (taken.clock, taken.items) == ("wall", [shop.items.again(item) for item in dataset.items])
    told = {shop.ids.inside(user): attributes for user, attributes in applied.profiles()}
    assert len(told) > 1
    assert {user: each.attributes for user, each in read_profiles(taken, shop).items()} == told
