"""Makes samples and ranking lists from impressions: the topic `samples` with its lists (`offline.training_data.logged_lists`),
with features as the ranking had them.

python -m offline.training_data.from_impressions --base BASES_DIR/NUMBER --engines FILE --samples SAMPLES_DIR
    --asks ASKS_DIR --out DIR

<out>/samples/  a row for each item of a list that its user may have seen, laid out as `offline.training_data.rows` does
      asks/     a list for each item of it that was liked, laid out as `offline.training_data.ranking_lists` does,
                without sequences

`seq` is when the list was closed, by the broker's time: it goes on where a home's clock stands. Maps are those of SAMPLES_DIR
and ASKS_DIR: a model that goes on from there normalises by them, and weighs by the mean weight of their positives. What acts
mean is what the base's schema says.
"""

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa

from features.base.reader import Base
from features.contracts.samples import Sample, SampleReference
from features.durable import atomic_folder
from features.engines.shared_engines import read_engines
from features.errors import BadInput, Broken
from features.inputs.input_maps import INPUTS_VERSION, InputMaps
from features.inputs.model_inputs import layout
from features.inputs.signals import SIGNAL_COLUMNS
from features.schema.document import FILE
from features.schema.tables import Schema, read_schema
from offline.base.fold_workers import Batches, Worker
from offline.base.kafka_log import KafkaLog, RetainedLog
from offline.base.state_tables import write_parts
from offline.console import run, step
from offline.spark.grouped_batches import RowBuffer
from offline.spark.parquet_tables import batches
from offline.spark.session import spark_session
from offline.training_data.file_names import MAPS, META
from offline.training_data.logged_lists import Spans, logged_samples, spans_of
from offline.training_data.ranking_lists import RANKING_LISTS
from offline.training_data.reactions import reactions_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_F32: Final = pa.list_(pa.float32())
ROWS: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("at", pa.int64()),
        ("label", pa.float32()),
        ("importance", pa.float32()),
        ("user", _F32),
        ("item", _F32),
    ]
)
LESSONS: Final = pa.schema(
    [("row", pa.struct(list(ROWS))), ("ask", pa.struct(list(RANKING_LISTS))), ("verdict", pa.string())]
)
"""Output of a task: a row, a ranking list, or the reason why a list teaches nothing."""
OTHER_TIME: Final = "another time asked for"
"""A caller chose the time: the features are not of when the list was seen, and it is unknown what is newer."""
NO_ACTION, NO_FEATURES, OTHER_COLUMNS, LIST = "no action", "no features", "other columns", "list"
"""Verdicts on lists, beside those of `offline.training_data.logged_lists`. A list without actions teaches nothing: perhaps
nobody saw it."""


def _whole(signals: Sequence[float]) -> list[float]:
    """The signals of a candidate, those that there were not yet when the list was logged being 0."""
    return [*signals, *[0.0] * (len(SIGNAL_COLUMNS) - len(signals))]


def lessons(sample: Sample, schema: Schema, columns: str, mean: float) -> Iterator[tuple[Any, Any, str | None]]:
    """LESSONS of one list. columns: the digest of the columns that features must have (`features.inputs.model_inputs.layout`);
    mean: the weight, in units, that has the importance 1."""
    served = sample.served
    features = served.features
    if served.at != served.ts:
        yield None, None, OTHER_TIME
        return
    if features is None or features.layout != columns:
        yield None, None, NO_FEATURES if features is None else OTHER_COLUMNS
        return
    yield None, None, LIST
    reactions = reactions_of(sample, schema)
    importances = {item_id: each.strength / mean if each.strength else 1.0 for item_id, each in reactions.items()}
    order = [(item.item_id, rank) for rank, item in enumerate(served.items) if item.item_id in reactions]
    head = (sample.closed_ts, schema.ids.inside(sample.user_id))
    for item_id, rank in order:
        label, importance = float(reactions[item_id].liked), importances[item_id]
        yield (*head, item_id, served.at, label, importance, features.user, features.items[rank]), None, None
    if features.history is None or features.signals is None:
        return
    for liked in (item_id for item_id, _ in order if reactions[item_id].liked):
        against = [(item_id, rank) for item_id, rank in order if item_id == liked or not reactions[item_id].liked]
        if len(against) > 1:
            items = [item_id for item_id, _ in against]
            signals = [value for _, rank in against for value in _whole(features.signals[rank])]
            candidates = (features.user, items, items.index(liked), signals, importances[liked])
            yield None, (*head, served.at, *features.history, *candidates), None


def lessons_of(
    samples: Iterable[Sample | SampleReference | str], schema: Schema, columns: str, mean: float
) -> Iterator[tuple[Any, Any, str | None]]:
    """LESSONS of samples as the log has them, or the reasons why there are none (see `lessons`)."""
    for sample in samples:
        if isinstance(sample, str):
            yield None, None, sample
        elif isinstance(sample, SampleReference) or not sample.actions:
            yield None, None, NO_ACTION
        else:
            yield from lessons(sample, schema, columns, mean)


def impressions_worker(log: RetainedLog, spans: Sequence[Spans], schema: str, columns: str, mean: float) -> Worker:
    """Rows (id) of numbers of `spans` → LESSONS (see `lessons`). schema: the text of the home's."""

    def work(numbers: Iterable[pa.RecordBatch]) -> Batches:
        out, means = RowBuffer(LESSONS), read_schema(schema, FILE)
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                samples = logged_samples(log, spans[number], lambda each: bool(each.actions))
                for row, ranking_list, verdict in lessons_of(samples, means, columns, mean):
                    named = (
                        row and dict(zip(ROWS.names, row, strict=True)),
                        ranking_list and dict(zip(RANKING_LISTS.names, ranking_list, strict=True)),
                        verdict,
                    )
                    if out.add(named, 600 + (8 * len(ranking_list[-2]) if ranking_list else 0)):
                        yield from out.take()
        yield from out.take()

    return work


def make_from_impressions(
    spark: "SparkSession",
    log: RetainedLog,
    spans: Sequence[Spans],
    schema: Schema,
    samples: Path,
    ranking_lists: Path,
    out: Path,
) -> dict[str, int]:
    """Make `out` of the records in `spans`, whose acts mean what `schema` says; counts of lists, by the reason for those that
    teach nothing.

    Raises BadInput for an `out` that is there, or where no list teaches anything; Broken where the maps can't be read.
    """
    if out.exists():
        raise BadInput("--out", "a folder that is not there yet", str(out))
    maps = _maps(samples / MAPS)
    if _maps(ranking_lists / MAPS).vocabulary != maps.vocabulary:
        raise BadInput("--asks", f"asks made with {samples}", str(ranking_lists))
    mean = unit_of(samples, schema)
    with atomic_folder(out) as staging:
        numbers = spark.createDataFrame([(number,) for number in range(len(spans))], "id long")
        tasks = numbers.repartitionByRange(max(len(spans), 1), "id")
        worker = impressions_worker(log, spans, schema.text(), layout(maps.vocabulary, schema.digest), mean)
        write_parts(tasks, worker, LESSONS, staging / "lessons")
        whole = spark.read.parquet(str(staging / "lessons"))
        for name, kind, source in (("samples", "row", samples), ("asks", "ask", ranking_lists)):
            parts = whole.where(f"{kind} IS NOT NULL").selectExpr(f"{kind}.*")
            target = staging / name / "asks" if kind == "ask" else staging / name
            parts.repartitionByRange(1, "seq").sortWithinPartitions("seq", "user_id").write.parquet(str(target))
            shutil.copyfile(source / MAPS, staging / name / MAPS)
            meta = {
                "dataset": str(_meta(source).get("dataset", "")),
                "first": 0,
                "shown": True,
                "schema": schema.digest,
                "inputs_version": INPUTS_VERSION,
            }
            (staging / name / META).write_text(json.dumps(meta, indent=1) + "\n")
        counts = Counter(
            verdict for batch in batches(staging / "lessons", ("verdict",)) for verdict in batch["verdict"].to_pylist()
        )
        del counts[None]
        shutil.rmtree(staging / "lessons")
        if not counts[LIST]:
            counted = ", ".join(f"{count} with {why}" for why, count in sorted(counts.items())) or "none at all"
            raise BadInput("the topic samples", "closed lists with actions and the features of this home", counted)
    return dict(counts)


def unit_of(samples: Path, schema: Schema) -> float:
    """The weight that has the importance 1: the mean one of the positives of a folder of samples. Raises Broken where it can't be
    read."""
    return float(_meta(samples).get("mean_weight", 1.0)) * schema.unit


def _maps(path: Path) -> InputMaps:
    try:
        return msgspec.json.decode(path.read_bytes(), type=InputMaps)
    except (OSError, msgspec.DecodeError) as error:
        raise Broken(f"{path} can't be read: {error}") from error


def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((folder / META).read_text())
    except (OSError, ValueError) as error:
        raise Broken(f"{folder / META} can't be read: {error}") from error
    return meta


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.training_data.from_impressions", description="Make lessons of what was shown."
    )
    parser.add_argument("--base", type=Path, required=True, help="the home's base, whose schema says what acts mean")
    parser.add_argument("--engines", type=Path, required=True, help="where Kafka is: run/engines.json of the home")
    parser.add_argument("--samples", type=Path, required=True, help="samples whose maps are taken")
    parser.add_argument("--asks", dest="ranking_lists", type=Path, required=True, help="asks whose maps are taken")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--master", default=None, help="Spark's master (local[*])")
    given = parser.parse_args(argv)

    def make() -> None:
        log, schema = KafkaLog(read_engines(given.engines).kafka), Base(given.base).schema
        spans = spans_of(log)
        samples = sum(each.samples.end - each.samples.start for each in spans)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with spark_session(given.out.parent, samples, given.master) as spark, step("what was shown") as this:
            counts = make_from_impressions(spark, log, spans, schema, given.samples, given.ranking_lists, given.out)
            this.note = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))

    return run(make)


if __name__ == "__main__":
    sys.exit(main())
