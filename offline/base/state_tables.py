"""The tables of a base: contributions of folded users to items and pairs, grouped by Spark; the same for every kind of base.

Only numbers cross the shuffle. Of co-visits only those that may be kept do, and how many there were.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.base.mapped_table import table_parts
from features.base.reader import CATALOGUE, ITEMS, PAIRS, RELATIONS, USERS, Base, encode_catalogue_item
from features.fold.co_visits import SLOTS
from features.types import Item, Millis
from offline.base import fold_workers
from offline.spark.parquet_tables import sha256, write_parquet, write_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLES = (USERS, ITEMS, PAIRS, CATALOGUE)


def write_parts(frame: "DataFrame", worker: fold_workers.Worker, schema: pa.Schema, folder: Path) -> None:
    """Run a worker over sorted partitions; its rows land in numbered Parquet parts, so the order over all is kept."""
    from pyspark.sql.pandas.types import from_arrow_schema

    frame.mapInArrow(worker, from_arrow_schema(schema)).write.parquet(str(folder))


def write_users(folded: Path, staging: Path) -> int:
    """The users that lie folded in `folded` as a table, and as a file for people; how many they are."""
    users = write_table(folded, "user_id", "state", staging / USERS)
    write_parquet(folded, fold_workers.USER_FEATURES, staging / "features" / "users.parquet", fold_workers.USERS)
    return users


def write_items(
    spark: "SparkSession",
    folded: Path,
    catalogue: Any,
    schema: str,
    at: Millis,
    parts: int,
    scratch: Path,
    previous: Base | None = None,
) -> int:
    """Fold what users add to items, on from the base `previous`, into the table next to `scratch`; how many items there are."""
    contributions = spark.read.parquet(str(folded)).selectExpr(
        "inline(arrays_zip(items, times, kinds, centis, signs, weights, names))"
        " AS (item_id, ts, kind, centi, sign, weight, name)"
    )
    if previous is not None:
        known = known_ids(spark, previous.item_ids, "item_id", scratch / "known-items")
        contributions = contributions.unionByName(_with_zeros(known, contributions))
    by_item = contributions.repartitionByRange(parts, "item_id").sortWithinPartitions("item_id", "ts")
    worker = fold_workers.items_worker(catalogue, schema, at, None if previous is None else previous.folder)
    write_parts(by_item, worker, fold_workers.ITEMS, scratch / "items")
    items = write_table(scratch / "items", "item_id", "state", scratch.parent / ITEMS)
    people = scratch.parent / "features" / "items.parquet"
    write_parquet(scratch / "items", fold_workers.ITEM_FEATURES, people, fold_workers.ITEMS)
    return items


def write_pairs(spark: "SparkSession", folded: Path, parts: int, scratch: Path, previous: Base | None = None) -> int:
    """Fold the co-visits of what users add, on from the base `previous`, into the table next to `scratch`; how many items
    have pairs."""
    from pyspark.sql import functions as f

    rows = _needed(_slots(spark, folded))
    if previous is not None:
        known = known_ids(spark, previous.pair_ids, "item_id", scratch / "known-pairs")
        rows = rows.unionByName(_with_zeros(known, rows))
    # Through files: cutting into ranges reads its input twice, and what is cached is not cut to its size.
    rows.write.parquet(str(scratch / "slots"))
    rows = spark.read.parquet(str(scratch / "slots"))
    by_item = rows.repartitionByRange(parts, "item_id").sortWithinPartitions("item_id", f.desc("weight"))
    worker = fold_workers.pairs_worker(None if previous is None else previous.folder)
    write_parts(by_item, worker, fold_workers.BLOBS, scratch / "pairs")
    return write_table(scratch / "pairs", "item_id", "state", scratch.parent / PAIRS)


def _slots(spark: "SparkSession", folded: Path) -> "DataFrame":
    """Rows (item_id, ts, key, other, weight): `features.fold.co_visits.slots_of` every contribution."""
    liked = spark.read.parquet(str(folded)).selectExpr(
        "inline(arrays_zip(items, times, keys, partners, signs, weights)) AS (item_id, ts, key, partners, sign, weight)"
    )
    pairs = liked.selectExpr("item_id", "ts", "key", "explode(partners) AS other", "sign * weight AS weight")
    return pairs.selectExpr(
        "inline(array(named_struct('item_id', item_id, 'ts', ts, 'key', key, 'other', other, 'weight', weight),"
        " named_struct('item_id', other, 'ts', ts, 'key', key, 'other', item_id, 'weight', weight)))"
    )


def _needed(slots: "DataFrame") -> "DataFrame":
    """Rows for `folding.pairs_worker`: of each item the newest co-visits added, all that were taken back, and how many
    there were. What one item's newest leave out can't be among the newest of it and a base together."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    other = (f.expr("other < 0").desc(), f.desc("other"))  # as `features.fold.co_visits` orders them
    newest = Window.partitionBy("item_id").orderBy(f.desc("ts"), f.desc("key"), *other, f.desc("weight"))
    added = slots.where("weight > 0").withColumn("place", f.dense_rank().over(newest)).where(f.col("place") <= SLOTS)
    each = added.drop("place").unionByName(slots.where("weight < 0")).withColumn("count", f.lit(0).cast("bigint"))
    counts = slots.groupBy("item_id").agg(f.count("*").alias("count"))
    return each.unionByName(_with_zeros(counts, each))


def known_ids(spark: "SparkSession", ids: memoryview, name: str, file: Path) -> "DataFrame":
    """The ids of a base's table as a frame of one column. They go through a file: it is mapped there, and read by parts here."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: np.frombuffer(ids, np.int64)}), file, row_group_size=1 << 20)
    return spark.read.parquet(str(file))


def _with_zeros(frame: "DataFrame", like: "DataFrame") -> "DataFrame":
    """The frame with the columns of another, those that it lacks being 0."""
    from pyspark.sql import functions as f

    def column(name: str, kind: Any) -> Any:
        return f.col(name) if name in frame.columns else f.lit(0).cast(kind).alias(name)

    return frame.select(*(column(field.name, field.dataType) for field in like.schema))


def write_catalogue(items: Sequence[Item], path: Path) -> None:
    """All items of a data set as a table; a catalogue fits in memory."""
    with path.open("wb") as file:
        file.writelines(table_parts([(item.item_id, encode_catalogue_item(item)) for item in items]))


def digests(folder: Path) -> dict[str, str]:
    """Of every table and array, by its path within the base."""
    arrays = sorted((folder / RELATIONS).rglob("*.npy"))
    return {str(path.relative_to(folder)): sha256(path) for path in (*(folder / name for name in TABLES), *arrays)}
