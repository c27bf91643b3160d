"""Makes a base of the log: the states of the base before it, folded on over the log up to given offsets.

    python -m offline.base.from_log --previous BASES_DIR/N --engines FILE --until OFFSETS --out BASES_DIR/NUMBER
                               --horizon MS [--horizon-since MS] [--learn DATA_DIR/NAME] [--master M]

OFFSETS is JSON: {"events": {"0": next offset, …}, "served": {…}}; what is not named stays where the base before has it. Records
are taken, or not, as the job takes them, so a base of the log is what the job would hold at those offsets, byte for byte.

The catalogue is the previous base's with what the topic `items` says since, the offline neighbours are that base's. With --learn
DATA_DIR/NAME the log is taken as a data set, too (see `offline.base.log_dataset`): neighbours come from all that the home has
seen, and so may models.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.base.reader import CATALOGUE, MANIFEST, RELATIONS, Base, Offsets
from features.clock import Clock
from features.contracts.items import item_of_record
from features.durable import atomic_folder
from features.engines.shared_engines import read_engines
from features.errors import BadInput, Broken
from features.fold.catalogue import CatalogueVersions, as_put
from features.fold.state import FOLD_VERSION
from features.keys import EVENTS, ITEMS, SERVED
from features.schema.document import FILE
from features.types import Item
from features.verdicts import MARKS, REJECTED, REROUTED
from offline.base import state_tables
from offline.base.applied_log import AppliedLog
from offline.base.from_dataset import BASE_VERSION, base_number
from offline.base.kafka_log import EVENT, TAKEN, Catalogue, KafkaLog, Log, Span, taking_worker
from offline.base.log_dataset import take_log
from offline.base.log_fold_workers import FATES, KNOWN, LOG_USERS, log_users_worker
from offline.console import run, step
from offline.datasets.dataset import Dataset, open_dataset
from offline.item_weights.build import write_history_relations
from offline.settings import add_clock_arguments, clock_of
from offline.spark.session import partitions, spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_CARRIED = (
    "dataset",
    "rows",
    "history",
    "history_rows",
    "first_ts",
    "last_ts",
    "related",
)
"""The manifest's entries for the data set at the root of a base."""
_COLUMNS = (
    "user_id",
    "topic",
    "offset",
    "kind",
    "item_id",
    "centi",
    "ts",
    "id",
    "target",
    "catalogue",
    "user",
    "item",
    "shown",
)


def spans_of(previous: Base, until: Offsets) -> list[Span]:
    """The spans of the log between a base and `until`. Raises BadInput for a topic or partition that is none, or where the
    base has gone further."""
    spans = []
    for topic, partitions_ in until.items():
        for number, end in partitions_.items():
            start = previous.offsets.get(topic, {}).get(number)
            if start is None:
                raise BadInput("--until", f"partitions of {EVENTS} and {SERVED}", f"{topic}, partition {number}")
            if end < start:
                expected = f"at least {start} for {topic}, partition {number}, where base {previous.folder.name} ends"
                raise BadInput("--until", expected, str(end))
            spans.append(Span(topic, number, start, end))
    return spans


def make_log_base(
    spark: "SparkSession",
    previous: Base,
    log: Log,
    until: Offsets,
    clock: Clock,
    out: Path,
    items_end: int = 0,
    learned: Path | None = None,
) -> dict[str, Any]:
    """Make the base `out`; its manifest. items_end: how many records the topic `items` has; learned: take all that the home has
    seen as this data set, too, which it is then a base of. Without, it goes back to the data set that the previous one does.

    Raises BadInput for an `out` that is no new number or offsets that can't be, Broken if the states before are another
    fold's, or the log does not reach from there to `until`.
    """
    number = base_number(out)
    spans = spans_of(previous, until)
    made_by = previous.manifest["fold_version"]
    if made_by != FOLD_VERSION:
        raise Broken(
            f"base {previous.folder} was made by version {made_by} of the fold, this is {FOLD_VERSION}: "
            "make one of the data set first (./martlet features)"
        )
    began = time.monotonic()
    with atomic_folder(out) as staging:
        (staging / "features").mkdir()
        versions = read_catalogue(log, previous, items_end)
        tables = _write_tables(spark, previous, log, spans, clock, versions, staging, learned)
        digests = state_tables.digests(staging)
        offsets = {topic: dict(partitions_) for topic, partitions_ in previous.offsets.items()}
        for span in spans:
            offsets[span.topic][span.partition] = span.end
        manifest: dict[str, Any] = {
            "number": number,
            "version": BASE_VERSION,
            **{name: previous.manifest[name] for name in _CARRIED},
            "previous": int(previous.manifest["number"]),
            "data_base": previous.data_base,
            "root": previous.root,
            **tables,
            "clock_start": previous.clock_start,
            "clock": previous.manifest.get("clock", "data"),
            "offsets": offsets,
            "catalogue_digest": digests[CATALOGUE],
            "sha256": digests,
            "fold_version": FOLD_VERSION,
            "schema": previous.schema.digest,
            "salt": previous.schema.document.salt,
            "partitions": previous.partitions,
            "made_in_seconds": round(time.monotonic() - began, 1),
        }
        (staging / FILE).write_text(previous.schema.text(), encoding="utf-8")
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def _write_tables(
    spark: "SparkSession",
    previous: Base,
    log: Log,
    spans: Sequence[Span],
    clock: Clock,
    items_by_version: CatalogueVersions,
    staging: Path,
    learned: Path | None,
) -> dict[str, Any]:
    scratch = staging / "parts"
    with step("  log read") as this:
        known_items = Catalogue(previous.catalogue_versions, items_by_version.arrivals)
        taken = _take(spark, log, spans, clock, previous, known_items, scratch / "taken")
        ledger, newest = _ledger(taken), _newest(taken)
        versions = _versions(taken, previous)
        rows = sum(ledger[topic]["read"] for topic in (EVENTS, SERVED))
        read = f"{ledger[EVENTS]['read']} events, {ledger[SERVED]['read']} shown lists"
        this.note = f"{read}, {items_by_version.changes} changes of items"
    cut = max(previous.cut, newest)
    parts = partitions(spark, rows + previous.user_count())
    catalogue = spark.sparkContext.broadcast(items_by_version)
    items_now = {item.item_id: item for item in items_by_version.items(min(versions.values()))}
    with step("  users folded") as this:
        known = state_tables.known_ids(spark, previous.user_ids, "user_id", scratch / "known-users")
        good = taken.where("verdict IS NULL").select(*_COLUMNS)
        by_user = good.unionByName(
            known.selectExpr("user_id", f"cast({KNOWN} AS tinyint) AS topic"), allowMissingColumns=True
        ).na.fill(0, [name for name in _COLUMNS if name in ("offset", "kind", "item_id", "centi", "ts", "catalogue")])
        ordered = by_user.repartitionByRange(parts, "user_id").sortWithinPartitions("user_id", "topic", "offset")
        state_tables.write_parts(
            ordered, log_users_worker(previous.folder, catalogue, cut), LOG_USERS, scratch / "users"
        )
        users = state_tables.write_users(scratch / "users", staging)
        _add_fates(spark, scratch / "users", ledger)
        this.note = f"{users}, {ledger[EVENTS][FATES[0]]} events applied"
    with step("  items folded") as this:
        titles = spark.sparkContext.broadcast(items_now)
        items = state_tables.write_items(
            spark, scratch / "users", titles, previous.schema.text(), cut, parts, scratch, previous
        )
        this.note = str(items)
    with step("  pairs folded") as this:
        pairs = state_tables.write_pairs(spark, scratch / "users", parts, scratch, previous)
        this.note = f"{pairs} items have some"
        titles.destroy()
    state_tables.write_catalogue(list(items_now.values()), staging / CATALOGUE)
    counts: dict[str, Any] = {"users": users, "items": items, "pairs": pairs, "catalogue": len(items_now)}
    if learned is None:
        shutil.copytree(previous.folder / RELATIONS, staging / RELATIONS)
    else:
        dataset = _learn(previous, log, spans, clock, learned, list(items_now.values()))
        counts |= _made_of(dataset, int(learned.name.rpartition("-")[2]))
        with step("  neighbours of items") as this:
            out = staging / RELATIONS
            related = write_history_relations(spark, dataset, dataset.rows, previous.schema, out, scratch / "similar")
            counts["related"] = related
            this.note = f"{related} items have some"
    catalogue.destroy()
    shutil.rmtree(scratch)
    return {"cut": cut, **counts, "catalogue_versions": versions, "ledger": ledger}


def _made_of(learned: Dataset, number: int) -> dict[str, Any]:
    """The manifest's entries for what the home has seen as a data set."""
    return {
        "dataset": learned.name,
        "rows": learned.rows,
        "history": 1.0,
        "history_rows": learned.rows,
        "first_ts": learned.first_ts,
        "last_ts": learned.last_ts,
        "data_base": number,
    }


def _learn(previous: Base, log: Log, spans: Sequence[Span], clock: Clock, out: Path, items: Sequence[Item]) -> Dataset:
    """Take all that the home has seen, up to the ends of the spans, as the data set `out`, beside the others."""
    first, data_dir = previous.root_base(), out.parent
    ends = previous.offsets[EVENTS] | {span.partition: span.end for span in spans if span.topic == EVENTS}
    with step("  log as a data set") as this:
        history = open_dataset(str(data_dir / first.manifest["dataset"]), data_dir, previous.schema)
        applied = AppliedLog(first, log, spans_of(first, {EVENTS: ends}), clock)
        learned = take_log(out.name, data_dir, history, applied, items, previous.schema)
        this.note = f"{learned.rows} events, {len(items)} items"
    return learned


def read_catalogue(log: Log, previous: Base, end: int) -> CatalogueVersions:
    """The catalogue by version, from the base's on to version `end`. Raises Broken where the topic ends before the base's: it was
    cut, or made anew, and what it tells of items since is not what comes after that version."""
    versions, schema = CatalogueVersions(previous.catalogue, previous.catalogue_start), previous.schema
    if end < versions.start:
        raise Broken(
            f"topic {ITEMS}: expected {versions.start} records or more, which base {previous.manifest['number']} has seen, got "
            f"{end}: it was cut or made anew. Restore it from a backup"
        )
    if versions.start < end:
        for record in log.read(Span(ITEMS, 0, versions.start, end)):
            item = item_of_record(record.value, schema)
            if item is not None:
                item = as_put(item, versions.item(item.item_id, record.offset))
            versions.put(record.offset, record.broker_ts, item)
        versions.arrivals.pass_to(end)
    return versions


def _versions(taken: "DataFrame", previous: Base) -> dict[int, int]:
    """The catalogue's version that holds at the end of each partition."""
    rows = taken.where(f"topic = {EVENT}").groupBy("partition").agg({"catalogue": "max"}).collect()
    return previous.catalogue_versions | {row["partition"]: row["max(catalogue)"] for row in rows}


def _take(
    spark: "SparkSession",
    log: Log,
    spans: Sequence[Span],
    clock: Clock,
    previous: Base,
    catalogue: Catalogue,
    folder: Path,
) -> "DataFrame":
    """The records of the spans as TAKEN, read once: later steps read them more than once."""
    if not spans:
        from pyspark.sql.pandas.types import from_arrow_schema

        return spark.createDataFrame([], from_arrow_schema(TAKEN))
    tasks = spark.range(0, len(spans), 1, len(spans))
    worker = taking_worker(log, spans, clock, previous.schema.text(), previous.partitions, catalogue)
    state_tables.write_parts(tasks, worker, TAKEN, folder)
    return spark.read.parquet(str(folder))


def _ledger(taken: "DataFrame") -> dict[str, dict[str, int]]:
    """For each topic: read, rejected, rerouted. The other verdicts are the fold's."""
    ledger = {
        topic: {"read": 0, **dict.fromkeys(FATES, 0), REJECTED: 0, REROUTED: 0, MARKS: 0} for topic in (EVENTS, SERVED)
    }
    for row in taken.groupBy("topic", "verdict").count().collect():
        counts = ledger[EVENTS if row["topic"] == EVENT else SERVED]
        counts["read"] += row["count"]
        if row["verdict"] is not None:
            counts[row["verdict"]] += row["count"]
    return ledger


def _newest(taken: "DataFrame") -> int:
    """The newest time of an event; 0 if there is none."""
    value = taken.where(f"verdict IS NULL AND topic = {EVENT}").selectExpr("max(ts)").first()[0]
    return 0 if value is None else int(value)


def _add_fates(spark: "SparkSession", folded: Path, ledger: dict[str, dict[str, int]]) -> None:
    columns = [f"sum(fates[{at}])" for at in range(2 * len(FATES))]
    sums = spark.read.parquet(str(folded)).where("fates IS NOT NULL").selectExpr(*columns).first()
    for at, topic in enumerate((EVENTS, SERVED)):
        ledger[topic] |= {name: int(sums[at * len(FATES) + column] or 0) for column, name in enumerate(FATES)}


def read_offsets(text: str) -> Offsets:
    """Offsets from JSON. Raises BadInput for what is none."""
    try:
        return {
            str(topic): {int(number): int(offset) for number, offset in partitions_.items()}
            for topic, partitions_ in json.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput("--until", '{"events": {"0": offset, …}, "served": {…}}', text[:200]) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.base.from_log", description="Make a base of the log.")
    parser.add_argument("--previous", type=Path, required=True, help="the base to go on from")
    parser.add_argument("--engines", type=Path, required=True, help="where Kafka is: run/engines.json of the home")
    parser.add_argument("--until", required=True, help="the offsets to stop before, as JSON")
    add_clock_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the base to make: BASES_DIR/NUMBER")
    parser.add_argument("--learn", type=Path, default=None, help="take the log as a data set, too: DATA_DIR/NAME")
    parser.add_argument("--master", default=None, help="Spark's master (local[*])")
    given = parser.parse_args(argv)

    def make() -> None:
        base_number(given.out)
        previous, until = Base(given.previous), read_offsets(given.until)
        spans_of(previous, until)
        clock = clock_of(given)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        events = sum(until.get(EVENTS, {}).values())
        with spark_session(given.out.parent, events, given.master) as spark, step("base") as this:
            log = KafkaLog(read_engines(given.engines).kafka)
            manifest = make_log_base(spark, previous, log, until, clock, given.out, log.items_end(), given.learn)
            this.note = f"number {manifest['number']}, {manifest['users']} users, {manifest['items']} items"

    return run(make)


if __name__ == "__main__":
    sys.exit(main())
