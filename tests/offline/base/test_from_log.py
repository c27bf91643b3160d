"""A base that Spark makes of the log is what the pure fold makes of it, byte for byte, in one go or in several."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.base.reader import MANIFEST, Base, Offsets
from features.clock import Clock
from features.errors import BadInput, Broken
from features.fold.co_visits import SLOTS
from features.fold.state import decode_user
from features.fold.user import thaw_user
from features.keys import EVENTS, SERVED
from features.types import NO_ID, PROFILE, Event
from offline.base.from_dataset import make_base
from offline.base.from_log import main, make_log_base, read_offsets, spans_of
from offline.datasets.dataset import open_dataset
from offline.datasets.user_profiles import read_profiles
from offline.spark.parquet_tables import sha256
from tests.offline.conftest import Based, Row
from tests.offline.small_log import BUSY, HORIZON, START, WALL, FileLog, SmallLog
from tests.pure_fold import Reference
from tests.schemas import MOVIES, peopled

pytestmark = pytest.mark.spark

Write = Callable[..., Path]
CLOCK = Clock(HORIZON, WALL - 1000)


@pytest.fixture
def first(based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write) -> Base:
    """A base of half a data set."""
    _, base = based(write_folder(some_rows), 0.5)
    return Base(shutil.copytree(base.folder, tmp_path / "bases" / "1"))


def check(base: Base, reference: Reference) -> None:
    users, items, pairs = reference.users(), reference.items(), reference.pairs()
    assert {user_id: base.stored_user(user_id) for user_id in base.user_ids} == users
    assert dict(base.all_item_features()) == items
    assert {item_id: each.encode() for item_id, each in base.all_pairs()} == pairs
    manifest = base.manifest
    assert (manifest["users"], manifest["items"], manifest["pairs"]) == (len(users), len(items), len(pairs))
    assert manifest["sha256"] == {name: sha256(base.folder / name) for name in manifest["sha256"]}
    for topic, ledger in reference.ledger.items():
        assert manifest["ledger"][topic] == {name: ledger[name] for name in manifest["ledger"][topic]}


@pytest.mark.soak
def test_and_so_it_does_under_another_schema(
    spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """A shop's: weights between 0 and 1, kinds of its own, items that are hidden for a week, users with attributes."""
    dataset, shop = open_dataset(str(write_folder(some_rows)), tmp_path / "data"), peopled("shop")
    make_base(spark, dataset, 0.5, tmp_path / "bases" / "1", shop)
    before = Base(tmp_path / "bases" / "1")
    log, files = SmallLog(schema=shop), FileLog(tmp_path)
    log.go_on(800, some_rows[:200])
    files.write(log.records)
    make_log_base(spark, before, files, log.ends(), CLOCK, tmp_path / "bases" / "2", len(log.items))
    after, reference = Base(tmp_path / "bases" / "2"), Reference(before, CLOCK)
    reference.feed(log.records, before.offsets, log.ends())
    check(after, reference)
    assert after.schema.digest == shop.digest == after.manifest["schema"]
    assert any(decode_user(stored.features).attributes for _, stored in after.users())


def test_spark_folds_the_log_as_the_pure_fold_does(
    spark: Any, tmp_path: Path, first: Base, some_rows: list[Row]
) -> None:
    log, files = SmallLog(), FileLog(tmp_path)
    log.go_on(1500, some_rows[:200])
    middle = log.ends()
    log.go_beyond_memory()
    log.go_on(1500, some_rows[:200])
    files.write(log.records)
    end = log.ends()

    make_log_base(spark, first, files, middle, CLOCK, tmp_path / "bases" / "2", len(log.items))
    second = Base(tmp_path / "bases" / "2")
    reference = Reference(first, CLOCK)
    reference.feed(log.records, first.offsets, middle)
    check(second, reference)
    assert second.offsets == middle

    # On from there, and from the start in one go: the log's users, items and pairs are the same.
    make_log_base(spark, second, files, end, CLOCK, tmp_path / "bases" / "3", len(log.items))
    third = Base(tmp_path / "bases" / "3")
    reference = Reference(second, CLOCK)
    reference.feed(log.records, middle, end)
    check(third, reference)
    make_log_base(spark, first, files, end, CLOCK, tmp_path / "bases" / "4", len(log.items))
    at_once = Base(tmp_path / "bases" / "4")
    reference = Reference(first, CLOCK)
    reference.feed(log.records, first.offsets, end)
    check(at_once, reference)
    for table in (
        "items.table",
        "pairs.table",
        "catalogue.table",
        "relations/ease/weights.npy",
        "relations/similar/others.npy",
    ):
        assert (third.folder / table).read_bytes() == (at_once.folder / table).read_bytes()

    # The log had all of it.
    ledger = at_once.manifest["ledger"]
    assert min(ledger[EVENTS][name] for name in ("applied", "duplicate", "late", "rejected", "rerouted")) > 0
    assert min(ledger[SERVED][name] for name in ("applied", "duplicate", "late", "rejected")) > 0
    assert max(each.n for _, each in at_once.all_pairs()) > SLOTS
    assert any(entry.undone for _, entry in thaw_user(at_once.stored_user(1) or b"").memory.items())
    busy = at_once.user(BUSY)
    assert busy is not None
    assert (len(thaw_user(at_once.stored_user(BUSY) or b"").memory), len(busy.lists)) == (4096, 256)
    # What people read says the same, of users and items that the log did not touch, too.
    content = pq.read_table(at_once.folder / "features" / "users.parquet").to_pylist()
    assert [row["user_id"] for row in content] == list(at_once.user_ids)
    for row in content:
        stored = at_once.user(row["user_id"])
        assert stored is not None
        assert row["last_ts"] == decode_user(stored.features).last_ts
    assert len(pq.read_table(at_once.folder / "features" / "items.parquet")) == len(dict(at_once.all_item_features()))


def test_once_the_data_sets_files_are_deleted_the_log_still_teaches_weights_between_items(
    spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """A home whose clock is its data set's: what was replayed or clicked since enters weights and the data set to learn from, and
    so do attributes that users have since."""
    source, data_dir, schema = write_folder(some_rows), tmp_path / "data", peopled("movies")
    dataset = open_dataset(str(source), data_dir, schema)
    make_base(spark, dataset, 0.5, tmp_path / "bases" / "1", schema)
    first = Base(tmp_path / "bases" / "1")
    shutil.rmtree(source)
    log, files = SmallLog(schema=schema), FileLog(tmp_path)
    log.go_on(900, some_rows[:200])
    paying = range(6, 24)  # nobody forgets those
    for user in paying:
        log.event(Event(f"plan of {user}", PROFILE, user, NO_ID, 0, '{"plan":"gold"}', START))
    files.write(log.records)
    out, learned = tmp_path / "bases" / "2", data_dir / "log-2"
    make_log_base(spark, first, files, log.ends(), CLOCK, out, len(log.items), learned)
    second = Base(out)
    assert (second.data_base, second.root, second.clock_start) == (2, 1, first.clock_start)
    assert (second.manifest["dataset"], second.manifest["clock"]) == ("log-2", "data")
    assert second.horizon == first.horizon == dataset.last_ts != second.manifest["last_ts"], "a replay still goes there"
    applied = second.manifest["ledger"][EVENTS]["applied"]
    assert 0 < open_dataset(str(learned), data_dir).rows <= first.manifest["history_rows"] + applied
    weights = "relations/ease/weights.npy"
    assert (second.folder / weights).read_bytes() != (first.folder / weights).read_bytes()
    known = read_profiles(open_dataset(str(learned), data_dir, schema), schema)
    assert [known[user].attributes for user in paying] == ['{"plan":"gold"}'] * len(paying)
    ids = np.array(sorted(second.item_ids))
    found = [base.segments(ids).spread(["plan:gold"], np.ones(len(ids), bool)) for base in (first, second)]
    assert [len(each) > 0 for each in found] == [False, True]
    assert len(found[1]) < len(ids), "the others like what is left"


def test_it_says_where_it_comes_from(spark: Any, tmp_path: Path, first: Base) -> None:
    log, files = SmallLog(), FileLog(tmp_path)
    log.go_on(60, [])
    files.write(log.records)
    until: Offsets = {EVENTS: {3: 2}, SERVED: {}}
    make_log_base(spark, first, files, until, CLOCK, tmp_path / "bases" / "2", len(log.items))
    make_log_base(spark, Base(tmp_path / "bases" / "2"), files, {}, CLOCK, tmp_path / "bases" / "7")
    for number, previous in ((2, 1), (7, 2)):
        base = Base(tmp_path / "bases" / str(number))
        assert base.offsets == {
            EVENTS: {**dict.fromkeys(range(8), 0), 3: 2},
            SERVED: dict.fromkeys(range(8), 0),
        }
        assert (base.manifest["number"], base.manifest["previous"], base.data_base) == (number, previous, 1)
        assert (base.clock_start, base.horizon) == (first.clock_start, first.horizon)
        assert base.manifest["catalogue_digest"] == first.manifest["catalogue_digest"]
        assert base.cut >= first.cut
    assert first.offsets == {topic: dict.fromkeys(range(8), 0) for topic in (EVENTS, SERVED)}
    assert first.data_base == 1
    assert base.cut == Base(tmp_path / "bases" / "2").cut > first.cut


def test_a_log_of_many_partitions_is_taken_in(
    spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """A partition's number takes more than seven bits, and each is where its records lie."""
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    make_base(spark, dataset, 0.5, tmp_path / "bases" / "1", MOVIES, 200)
    first = Base(tmp_path / "bases" / "1")
    log, files = SmallLog(partitions=200), FileLog(tmp_path)
    log.go_on(200, [])
    files.write(log.records)
    ends = log.ends()
    parts = [number for number, end in ends[EVENTS].items() if end and (number > 127 or number % 8 == 0)]
    until: Offsets = {EVENTS: {number: ends[EVENTS][number] for number in parts}, SERVED: {}}
    make_log_base(spark, first, files, until, CLOCK, tmp_path / "bases" / "2", len(log.items))
    base = Base(tmp_path / "bases" / "2")
    assert base.partitions == 200
    assert base.offsets[EVENTS] == dict.fromkeys(range(200), 0) | until[EVENTS]
    reference = Reference(first, CLOCK)
    reference.feed(log.records, first.offsets, base.offsets)
    check(base, reference)


def test_what_can_not_be_made(spark: Any, tmp_path: Path, first: Base, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bases" / "2"
    with pytest.raises(BadInput, match="partitions of events and served, got clicks, partition 0"):
        spans_of(first, {"clicks": {0: 1}})
    with pytest.raises(BadInput, match="partition 8"):
        spans_of(first, {EVENTS: {8: 1}})
    for text in ("", "[]", '{"events": 3}', '{"events": {"x": 1}}'):
        with pytest.raises(BadInput, match="--until"):
            read_offsets(text)
    content = json.loads((first.folder / MANIFEST).read_text())
    (first.folder / MANIFEST).write_text(json.dumps(content | {"offsets": {EVENTS: {"0": 5}}}))
    with pytest.raises(BadInput, match="at least 5 for events, partition 0, where base 1 ends, got 4"):
        spans_of(Base(first.folder), {EVENTS: {0: 4}})
    (first.folder / MANIFEST).write_text(json.dumps(content | {"fold_version": 1}))
    with pytest.raises(Broken, match="version 1 of the fold"):
        make_log_base(spark, Base(first.folder), FileLog(tmp_path), {}, CLOCK, out)
    (first.folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(Exception, match="No such file"):
        make_log_base(spark, first, FileLog(tmp_path / "nothing"), {EVENTS: {0: 1}}, CLOCK, out)
    assert [path.name for path in out.parent.iterdir()] == ["1"]
    argv = [
        "--previous",
        str(tmp_path),
        "--engines",
        str(tmp_path / "engines.json"),
        "--until",
        "{}",
        "--horizon",
        "1",
        "--out",
        str(out),
    ]
    assert main(argv) == 1
    assert "is not a base" in capsys.readouterr().err
