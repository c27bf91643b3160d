"""Makes a base: the features of a data set's history, by the fold that the stream goes on with.

    python -m offline.base.from_dataset --dataset NAME_OR_FOLDER --data-dir D --history 0.8 --out BASES_DIR/NUMBER [--master M]

It is written to a staging folder, then renamed; the layout is that of `features.base.reader`.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.base.reader import CATALOGUE, MANIFEST, RELATIONS, Base
from features.durable import atomic_folder
from features.errors import BadInput
from features.fold.state import FOLD_VERSION
from features.keys import DEFAULT_PARTITIONS
from features.schema.document import FILE
from features.schema.tables import Schema, read_schema
from features.types import NO_ID, PROFILE, UserId
from offline.base import fold_workers, state_tables
from offline.base.forgotten_users import open_left
from offline.console import run, step
from offline.datasets.dataset import COLUMNS, Dataset, cut_row, ts_of_row
from offline.datasets.user_profiles import read_profiles
from offline.item_weights.build import write_history_relations
from offline.settings import BaseSettings, add_base_arguments, base_settings
from offline.spark.session import history_events, partitions, spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BASE_VERSION = 4


def base_number(out: Path) -> int:
    """The number that a base's folder is named by. Raises BadInput if it is none, or there is such a base already."""
    if not (out.name.isascii() and out.name.isdigit()):
        raise BadInput("--out", "a folder named by a whole number, such as bases/1", str(out))
    if out.exists():
        raise BadInput("--out", "a number that is not taken (a base never changes)", f"{out}, which exists")
    return int(out.name)


def check_made_of(base: Base, dataset: Dataset) -> None:
    """Raise BadInput if the base was made of another data set."""
    if (base.manifest["dataset"], base.manifest["rows"]) != (dataset.name, dataset.rows):
        made_of = f"{base.manifest['dataset']} with {base.manifest['rows']} rows"
        raise BadInput("--dataset", f"what the base was made of ({made_of})", f"{dataset.name} with {dataset.rows}")


def make_base(
    spark: "SparkSession",
    dataset: Dataset,
    history: float,
    out: Path,
    schema: Schema,
    partitions: int = DEFAULT_PARTITIONS,
) -> dict[str, Any]:
    """Make the base `out` of the data set's first `history` of rows, whose events mean what `schema` says, for a home whose log
    has so many partitions; its manifest.

    Raises BadInput for a history that is no share or an `out` that is no new number.
    """
    number = base_number(out)
    began = time.monotonic()
    rows = cut_row(dataset, history)
    left = dataset.left(rows)
    cut = ts_of_row(dataset, left - 1) if left else 0
    with atomic_folder(out) as staging:
        (staging / "features").mkdir()
        counts = _write_tables(spark, dataset, schema.text(), left, cut, staging)
        digests = state_tables.digests(staging)
        manifest: dict[str, Any] = {
            "number": number,
            "version": BASE_VERSION,
            "dataset": dataset.name,
            "rows": dataset.rows,
            "history": history,
            "history_rows": rows,
            "cut": cut,
            "clock": dataset.clock if rows == dataset.rows else "data",
            "first_ts": dataset.first_ts,
            "last_ts": dataset.last_ts,
            **counts,
            "catalogue_digest": digests[CATALOGUE],
            "sha256": digests,
            "fold_version": FOLD_VERSION,
            "schema": schema.digest,
            "salt": schema.document.salt,
            "partitions": partitions,
            "made_in_seconds": round(time.monotonic() - began, 1),
        }
        (staging / FILE).write_text(schema.text(), encoding="utf-8")
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def _write_tables(
    spark: "SparkSession", dataset: Dataset, schema: str, rows: int, cut: int, staging: Path
) -> dict[str, int]:
    profiles = read_profiles(dataset, read_schema(schema, FILE), partial(print, flush=True))
    parts = partitions(spark, rows + len(profiles))
    scratch = staging / "parts"
    means = read_schema(schema, FILE)
    catalogue_items = [means.items.again(item) for item in dataset.items]
    catalogue = spark.sparkContext.broadcast({item.item_id: item for item in catalogue_items})
    events = history_events(spark, dataset, rows)
    with step("  users folded") as this:
        known = spark.sparkContext.broadcast(profiles)
        worker = fold_workers.users_worker(dataset.name, catalogue, known, schema, cut)
        by_user = (
            events.unionByName(_profile_rows(spark, profiles))
            .repartitionByRange(parts, "user_id")
            .sortWithinPartitions("user_id", "seq")
        )
        ordered = by_user.select("user_id", "item_id", "kind", "centi", "ts", "user", "item")
        state_tables.write_parts(ordered, worker, fold_workers.USERS, scratch / "users")
        users = state_tables.write_users(scratch / "users", staging)
        known.destroy()
        this.note = f"{users} of {rows} events"
    with step("  items folded") as this:
        items = state_tables.write_items(spark, scratch / "users", catalogue, schema, cut, parts, scratch)
        this.note = str(items)
    with step("  pairs folded") as this:
        pairs = state_tables.write_pairs(spark, scratch / "users", parts, scratch)
        this.note = f"{pairs} items have some"
    with step("  neighbours of items") as this:
        related = write_history_relations(spark, dataset, rows, means, staging / RELATIONS, scratch / "similar")
        this.note = f"{related} items have some"
    state_tables.write_catalogue(catalogue_items, staging / CATALOGUE)
    catalogue.destroy()
    shutil.rmtree(scratch)
    return {"users": users, "items": items, "pairs": pairs, "catalogue": len(dataset.items), "related": related}


def _profile_rows(spark: "SparkSession", users: Iterable[UserId]) -> "DataFrame":
    """A row of the kind PROFILE for each of the users, before all events of theirs, with the columns of `history_events`."""
    rows = [(-1, user_id, NO_ID, PROFILE, 0, 0, "", "") for user_id in users]
    numbers = ", ".join(f"{name} LONG" for name in ("seq", *COLUMNS))
    return spark.createDataFrame(rows, f"{numbers}, user STRING, item STRING")


def make(settings: BaseSettings) -> None:
    """The command: open the data set, start Spark, make the base."""
    base_number(settings.out)
    with step("data set") as this:
        schema = settings.read_schema()
        dataset = open_left(settings.dataset, settings.data_dir, schema, settings.out.parent)
        this.note = f"{dataset.name}, {dataset.rows} events, {len(dataset.items)} items"
    cut_row(dataset, settings.history)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    with spark_session(settings.out.parent, dataset.rows, settings.master) as spark, step("base") as this:
        manifest = make_base(spark, dataset, settings.history, settings.out, schema, settings.partitions)
        this.note = f"number {manifest['number']}, {manifest['users']} users, {manifest['items']} items"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.base.from_dataset", description="Make a base of a data set's history."
    )
    add_base_arguments(parser)
    settings = base_settings(parser.parse_args(argv))
    return run(lambda: make(settings))


if __name__ == "__main__":
    sys.exit(main())
