"""Makes training samples, each with the features as they stood just before it.

python -m offline.training_data.rows --base BASES_DIR/NUMBER --dataset NAME_OR_FOLDER --data-dir D --out DIR

<out>/part-*.parquet   seq, user_id, item_id, at int64; label, importance float32; user [U + 3(G + 1)], item [I + G + 1] float32;
                       by seq
      maps.json        features.inputs.input_maps.InputMaps: vocabulary, mean and spread of each column
      meta.json        what it was made of and how much it is
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.compute as pc

from features.base.reader import Base
from features.durable import atomic_folder
from features.errors import BadInput
from features.fold.state import FOLD_VERSION
from features.inputs.facet_vocabulary import vocabulary_of
from features.inputs.input_maps import INPUTS_VERSION
from offline.base.forgotten_users import digest_of, open_left
from offline.base.from_dataset import check_made_of
from offline.console import run, step
from offline.datasets.dataset import Dataset
from offline.datasets.event_rows import mean_weight, row_weights
from offline.settings import SampleSettings, add_data_arguments, add_sample_arguments, sample_settings
from offline.spark.parquet_tables import batches, part_files
from offline.spark.session import partitions, spark_session
from offline.spark.weighted_events import weighted_events
from offline.training_data.file_names import MAPS, META
from offline.training_data.negative_sampling import drawn, labelled
from offline.training_data.normalisation import input_maps
from offline.training_data.point_in_time import ITEM_VECTORS, USER_VECTORS, item_vectors_worker, user_vectors_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def check(settings: SampleSettings, out: Path) -> None:
    """Raise BadInput for settings that can't be, or an `out` that is there already."""
    if not 0 <= settings.negatives <= 50:
        raise BadInput("--negatives", "a whole number from 0 to 50", str(settings.negatives))
    if settings.max_positives < 1:
        raise BadInput("--max-positives", "at least 1", str(settings.max_positives))
    if out.exists():
        raise BadInput("--out", "a folder that is not there yet", str(out))


def make_samples(
    spark: "SparkSession", dataset: Dataset, base: Base, out: Path, settings: SampleSettings
) -> dict[str, Any]:
    """Make the samples of a base's history; the content of meta.json.

    Raises BadInput if the data set is not the one the base was made of.
    """
    check(settings, out)
    history = int(base.manifest["history_rows"])
    rows = dataset.left(history)
    check_made_of(base, dataset)
    began = time.monotonic()
    weights = row_weights(dataset, rows, base.schema)
    positives, mean = int((weights > 0).sum()), mean_weight(weights)
    share = min(1.0, settings.max_positives / positives) if positives else 1.0
    with atomic_folder(out) as staging:
        with step("  samples joined"):
            events = weighted_events(spark, dataset, rows, base.schema)
            labels = labelled(events, share, settings.seed, mean)
            _write(spark, dataset, base.schema.text(), rows, events, labels, settings, staging)
        with step("  mean and spread"):
            (staging / MAPS).write_bytes(msgspec.json.encode(input_maps(staging, vocabulary_of(dataset.items))))
        meta: dict[str, Any] = {
            "dataset": dataset.name,
            "base": int(base.manifest["number"]),
            "history_rows": history,
            "until": dataset.until,
            "forgotten": digest_of(dataset.removed),
            "cut": base.cut,
            "seed": settings.seed,
            "negatives": settings.negatives,
            "share": share,
            "schema": base.schema.digest,
            "mean_weight": mean / base.schema.unit,
            **count_labels(staging),
            "fold_version": FOLD_VERSION,
            "inputs_version": INPUTS_VERSION,
            "seconds": round(time.monotonic() - began, 1),
        }
        (staging / META).write_text(json.dumps(meta, indent=1) + "\n")
    return meta


def _write(
    spark: "SparkSession",
    dataset: Dataset,
    schema: str,
    rows: int,
    events: "DataFrame",
    labels: "DataFrame",
    settings: SampleSettings,
    folder: Path,
) -> None:
    from pyspark.sql.pandas.types import from_arrow_schema

    catalogue = spark.sparkContext.broadcast({item.item_id: item for item in dataset.items})
    requested = labels
    if settings.negatives:
        requested = labels.unionByName(drawn(events, labels, settings.negatives, settings.seed))
    users = _user_frame(events, labels, partitions(spark, rows)).mapInArrow(
        user_vectors_worker(dataset.name, catalogue, schema), from_arrow_schema(USER_VECTORS)
    )
    items = _item_frame(events, requested, partitions(spark, 2 * rows)).mapInArrow(
        item_vectors_worker(catalogue, schema), from_arrow_schema(ITEM_VECTORS)
    )
    samples = items.join(users, "seq").select("seq", "user_id", "item_id", "at", "label", "importance", "user", "item")
    ordered = samples.repartitionByRange(partitions(spark, 2 * rows), "seq").sortWithinPartitions("seq", "item_id")
    ordered.write.mode("append").parquet(str(folder))  # the folder is there already, and empty
    for checksum in folder.glob(".*.crc"):
        checksum.unlink()
    catalogue.destroy()


def _user_frame(events: "DataFrame", labels: "DataFrame", parts: int) -> "DataFrame":
    """A user's rows in order, and which of them are wanted (a drawn negative has its positive's row)."""
    from pyspark.sql import functions as f

    wanted = labels.select("seq", f.lit(1).alias("asked"))
    return (
        events.join(wanted, "seq", "left")
        .select("user_id", "seq", "item_id", "kind", "centi", "ts", f.coalesce("asked", f.lit(0)).alias("wanted"))
        .repartition(parts, "user_id")
        .sortWithinPartitions("user_id", "seq")
    )


def _item_frame(events: "DataFrame", requested: "DataFrame", parts: int) -> "DataFrame":
    """An item's events and the requests for it, in order; a request stands before the event of its own row."""
    from pyspark.sql import functions as f

    zero = f.lit(0)
    requests = requested.select(
        "item_id",
        "seq",
        zero.alias("is_event"),
        "user_id",
        "at",
        *(zero.alias(name) for name in ("kind", "centi", "weight")),
        "label",
        "importance",
    )
    happened = events.select(
        "item_id",
        "seq",
        f.lit(1).alias("is_event"),
        "user_id",
        f.col("ts").alias("at"),
        "kind",
        "centi",
        "weight",
        *(f.lit(0.0).cast("float").alias(name) for name in ("label", "importance")),
    )
    return (
        requests.unionByName(happened)
        .repartition(parts, "item_id")
        .sortWithinPartitions("item_id", "seq", "is_event", "user_id", "label")
    )


def count_labels(folder: Path) -> dict[str, int]:
    """samples, positives, files of a folder of samples."""
    samples = positives = 0
    for batch in batches(folder, ("label",)):
        samples += batch.num_rows
        positives += int(pc.sum(batch.column(0)).as_py() or 0)
    return {"samples": samples, "positives": positives, "files": len(part_files(folder))}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.training_data.rows", description="Make a base's training samples."
    )
    add_data_arguments(parser)
    parser.add_argument("--base", type=Path, required=True, help="the base whose history they are taken from")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    add_sample_arguments(parser)
    given = parser.parse_args(argv)

    def make() -> None:
        settings = sample_settings(given)
        check(settings, given.out)
        base = Base(given.base)
        dataset = open_left(given.dataset, given.data_dir, base.schema)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with spark_session(given.out.parent, dataset.rows, given.master) as spark, step("samples") as this:
            meta = make_samples(spark, dataset, base, given.out, settings)
            this.note = f"{meta['samples']}, {meta['positives']} of them positive"

    return run(make)


if __name__ == "__main__":
    sys.exit(main())
