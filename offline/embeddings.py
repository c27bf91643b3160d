"""Makes embeddings of items and users from a base's history, by Spark's own estimators.

python -m offline.embeddings --base BASES_DIR/NUMBER --dataset NAME_OR_FOLDER --data-dir D --out DIR [--kind als …]

<out>/<kind>/items.ids.npy, items.npy    int64 [n] ascending, float32 [n, WIDTH]: what the API reads
(`features.base.embedding_files`)
             users.ids.npy, users.npy    the same of users: for als its own factors, else the mean of their last positive items
      meta.json                          what they were made of, and digests

als       alternating least squares on positives (Y. Hu, Y. Koren, C. Volinsky, ICDM 2008), with confidence in an item by the
          largest of its user's weights
item2vec  skip-grams over each user's positive items in order (O. Barkan, N. Koenigstein, MLSP 2016)
deepwalk  skip-grams over random walks on the graph of which item followed which (B. Perozzi, R. Al-Rfou, S. Skiena, KDD 2014),
          each step by the smaller of the two weights
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from features.arrays import FloatArray, IntArray
from features.base.embedding_files import (
    ALS,
    DEEPWALK,
    IDS_FILE,
    ITEM2VEC,
    META,
    VECTORS_FILE,
    EmbeddingsMeta,
    KindMeta,
)
from features.base.reader import Base
from features.durable import atomic_folder
from features.errors import BadInput
from features.schema.tables import Schema
from models.registry.manifest import file_digest
from offline.base.fold_workers import Batches, Worker
from offline.base.forgotten_users import open_left
from offline.base.from_dataset import check_made_of
from offline.console import run, step
from offline.datasets.dataset import Dataset
from offline.datasets.event_rows import mean_weight, row_weights
from offline.settings import add_data_arguments
from offline.spark.session import partitions, spark_session
from offline.spark.weighted_events import weighted_events

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WIDTH: Final = 32
ALPHA, REGULARIZATION = 10.0, 0.05
SEED: Final = 7
WALKS, WALK_LENGTH = 10, 20
"""Random walks from each item, and items in each."""
LAST: Final = 20
"""So many of a user's newest positive items make the user's vector."""
WORDS: Final = pa.schema([("words", pa.list_(pa.string()))])


def _als(spark: "SparkSession", positives: "DataFrame") -> tuple["DataFrame", "DataFrame | None"]:
    from pyspark.ml.recommendation import ALS as Als
    from pyspark.sql import functions as f

    # ALS takes 32-bit ids: number users and items by their rank.
    pairs = positives.groupBy("user_id", "item_id").agg(f.max("importance").alias("rating"))
    numbered = {name: pairs.select(name).distinct().orderBy(name) for name in ("user_id", "item_id")}
    tables = {name: _number(spark, frame, name) for name, frame in numbered.items()}
    rows = pairs.join(tables["user_id"], "user_id").join(tables["item_id"], "item_id")
    blocks = positives.rdd.getNumPartitions()  # its default of ten is ten tasks a step, however few the rows
    als = Als(
        rank=WIDTH, maxIter=10, regParam=REGULARIZATION, alpha=ALPHA, implicitPrefs=True, seed=SEED, userCol="user_id_number",
        itemCol="item_id_number", ratingCol="rating", numUserBlocks=blocks, numItemBlocks=blocks,
    )  # fmt: skip
    model = als.fit(rows)

    def named(factors: "DataFrame", name: str) -> "DataFrame":
        number = factors.withColumnRenamed("id", f"{name}_number")
        return number.join(tables[name], f"{name}_number").select(
            f.col(name).alias("id"), f.col("features").alias("vector")
        )

    return named(model.itemFactors, "item_id"), named(model.userFactors, "user_id")


def _positives(spark: "SparkSession", dataset: Dataset, rows: int, schema: Schema, mean: float) -> "DataFrame":
    """Rows (user_id, seq, item_id, weight, importance) of the positives; importance: the weight over their mean."""
    events = weighted_events(spark, dataset, rows, schema).repartition(partitions(spark, rows), "user_id")
    positives = events.where("weight > 0")
    return positives.select("user_id", "seq", "item_id", "weight", (positives.weight / mean).alias("importance"))


def _number(spark: "SparkSession", ordered: "DataFrame", name: str) -> "DataFrame":
    """(name, name_number): ids of one column and their indices, from 0; the same in every run."""
    from pyspark.sql.types import LongType, StructField, StructType

    schema = StructType([StructField(name, LongType()), StructField(f"{name}_number", LongType())])
    pairs = ordered.rdd.zipWithIndex().map(lambda pair: (int(pair[0][0]), int(pair[1])))
    return spark.createDataFrame(pairs, schema)


def _skip_grams(sentences: "DataFrame", parts: int) -> "DataFrame":
    """(id, vector) of the items in columns `words` of item ids as text."""
    from pyspark.ml.feature import Word2Vec
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions as f

    words = Word2Vec(
        vectorSize=WIDTH, windowSize=5, minCount=1, maxIter=5, seed=SEED, numPartitions=parts, inputCol="words",
        outputCol="unused",
    )  # fmt: skip
    found = words.fit(sentences).getVectors()
    return found.select(f.col("word").cast("bigint").alias("id"), vector_to_array("vector", "float32").alias("vector"))


def _item2vec(spark: "SparkSession", positives: "DataFrame") -> tuple["DataFrame", "DataFrame | None"]:
    from pyspark.sql import functions as f

    ordered = positives.groupBy("user_id").agg(f.sort_array(f.collect_list(f.struct("seq", "item_id"))).alias("all"))
    sentences = ordered.select(f.transform("all", lambda each: each["item_id"].cast("string")).alias("words"))
    return _skip_grams(sentences, 1), None


def _deepwalk(spark: "SparkSession", positives: "DataFrame") -> tuple["DataFrame", "DataFrame | None"]:
    from pyspark.sql import Window
    from pyspark.sql import functions as f
    from pyspark.sql.pandas.types import from_arrow_schema

    by_user = Window.partitionBy("user_id").orderBy("seq")
    following = positives.select(
        "item_id",
        f.lead("item_id").over(by_user).alias("next"),
        f.expr("least(weight, lead(weight) OVER (PARTITION BY user_id ORDER BY seq))").alias("smaller"),
    ).where("next != item_id")
    edges = following.groupBy("item_id", "next").agg(f.sum("smaller").alias("times"))
    graph: dict[int, tuple[IntArray, FloatArray]] = {}
    table = edges.orderBy("item_id", "next").toArrow()  # bounded by the catalogue, not by the events
    sources, targets, times = (table[name].to_numpy() for name in ("item_id", "next", "times"))
    known_sources, firsts = np.unique(sources, return_index=True)
    for source, first, end in zip(known_sources.tolist(), firsts, [*firsts[1:], len(sources)], strict=True):
        shares = times[first:end] / times[first:end].sum()
        graph[source] = (targets[first:end], np.cumsum(shares))
    known = spark.sparkContext.broadcast(graph)
    starts = spark.createDataFrame([(int(source),) for source in graph], "item_id long")
    walks = starts.mapInArrow(_walker(known), from_arrow_schema(WORDS))
    return _skip_grams(walks, 1), None


def _walker(graph: Any) -> Worker:
    """Rows (item_id) → WALKS random walks from each; the same in every run, since each item has its own seed."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        for batch in batches:
            walks = [walk for item_id in batch["item_id"].to_pylist() for walk in random_walks(graph.value, item_id)]
            yield pa.RecordBatch.from_arrays([pa.array(walks, WORDS.field("words").type)], schema=WORDS)

    return work


def random_walks(graph: dict[int, tuple[IntArray, FloatArray]], start: int) -> list[list[str]]:
    """WALKS walks of at most WALK_LENGTH items, as text. graph: item → (followers, their cumulated shares)."""
    rng = np.random.default_rng((SEED, start % 2**63))
    walks = []
    for _ in range(WALKS):
        at, walk = start, [str(start)]
        while len(walk) < WALK_LENGTH and at in graph:
            followers, cumulated = graph[at]
            at = int(followers[min(int(np.searchsorted(cumulated, rng.random(), side="right")), len(followers) - 1)])
            walk.append(str(at))
        walks.append(walk)
    return walks


Maker = Callable[["SparkSession", "DataFrame"], tuple["DataFrame", "DataFrame | None"]]
KINDS: Final[dict[str, Maker]] = {ALS: _als, ITEM2VEC: _item2vec, DEEPWALK: _deepwalk}
"""Each makes (id, vector) of items, and of users where it has vectors of their own, from the positives (`_positives`)."""


def _users_of_items(positives: "DataFrame", items: "DataFrame") -> "DataFrame":
    """(id, vector): the mean of the vectors of each user's LAST newest positive items."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    newest = Window.partitionBy("user_id").orderBy(f.desc("seq"))
    last = positives.withColumn("place", f.row_number().over(newest)).where(f.col("place") <= LAST)
    joined = last.join(items.withColumnRenamed("id", "item_id"), "item_id")
    mean = f.array(*(f.avg(f.col("vector")[at]).cast("float") for at in range(WIDTH)))
    return joined.groupBy("user_id").agg(mean.alias("vector")).withColumnRenamed("user_id", "id")


def _save(frame: "DataFrame", folder: Path, name: str) -> int:
    """Write (id, vector) rows as two arrays, by id; how many they are."""
    table = frame.orderBy("id").toArrow()
    ids = table["id"].to_numpy()
    vectors = np.array(table["vector"].to_pylist(), np.float32).reshape(-1, WIDTH)
    np.save(folder / f"{name}.ids.npy", ids.astype(np.int64))
    np.save(folder / f"{name}.npy", vectors)
    return len(ids)


def make_embeddings(
    spark: "SparkSession", dataset: Dataset, base: Base, out: Path, kinds: Sequence[str] = tuple(KINDS)
) -> EmbeddingsMeta:
    """Make those kinds of a base's history; the content of meta.json. Raises BadInput for an unknown kind, an `out` that exists,
    a data set that the base was not made of, or a history without a positive row."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise BadInput("--kind", f"one of {', '.join(KINDS)}", unknown[0])
    if out.exists():
        raise BadInput("--out", "a folder that is not there yet", str(out))
    history = int(base.manifest["history_rows"])
    check_made_of(base, dataset)
    rows = dataset.left(history)
    weights = row_weights(dataset, rows, base.schema)
    if not (weights > 0).any():
        raise BadInput("--base", "a history with an event of a weight above 0", f"{rows} rows without one")
    positives = _positives(spark, dataset, rows, base.schema, mean_weight(weights)).cache()
    made: dict[str, KindMeta] = {}
    with atomic_folder(out) as staging:
        for kind in kinds:
            began = time.monotonic()
            (staging / kind).mkdir()
            with step(f"  {kind}") as this:
                items, users = KINDS[kind](spark, positives)
                items = items.cache()
                count = _save(items, staging / kind, "items")
                user_count = _save(users or _users_of_items(positives, items), staging / kind, "users")
                items.unpersist()
                this.note = f"{count} items, {user_count} users"
            solved = (ALPHA, REGULARIZATION) if kind == ALS else (0.0, 0.0)
            made[kind] = KindMeta(count, user_count, *solved, round(time.monotonic() - began, 1))
        digests = {
            f"{kind}/{name}": file_digest(staging / kind / name) for kind in kinds for name in (IDS_FILE, VECTORS_FILE)
        }
        number = int(base.manifest["number"])
        meta = EmbeddingsMeta(dataset.name, number, history, WIDTH, SEED, made, digests)
        (staging / META).write_bytes(msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")
    return meta


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.embeddings", description="Embeddings of items and users.")
    add_data_arguments(parser)
    parser.add_argument("--base", type=Path, required=True, help="the base whose history they are made of")
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), help="may be given again (all)")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    given = parser.parse_args(argv)

    def make() -> None:
        dataset = open_left(given.dataset, given.data_dir, Base(given.base).schema)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with spark_session(given.out.parent, dataset.rows, given.master) as spark, step("embeddings"):
            make_embeddings(spark, dataset, Base(given.base), given.out, given.kind or tuple(KINDS))

    return run(make)


if __name__ == "__main__":
    sys.exit(main())
