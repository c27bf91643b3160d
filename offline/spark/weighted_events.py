"""A data set's rows in Spark, each with the weight that the fold counts and the label that it gives."""

from typing import TYPE_CHECKING

from features.fold.event_weights import kinds_that_count_once
from features.fold.state import RECENT
from features.schema.tables import Schema
from features.types import IMPRESSION
from offline.datasets.dataset import Dataset
from offline.spark.session import history_events

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


def event_frame(spark: "SparkSession", dataset: Dataset, rows: int) -> "DataFrame":
    """The first `rows` rows of a data set: seq (the row's number, from 0), user_id, item_id, kind, centi, ts."""
    events = history_events(spark, dataset, rows)
    return events.selectExpr("seq", "user_id", "item_id", "CAST(kind AS int) AS kind", "centi", "ts")


def weighted_events(spark: "SparkSession", dataset: Dataset, rows: int, schema: Schema) -> "DataFrame":
    """`event_frame` with two more columns:

    weight  int, units of the schema: what the fold counts of the row (`offline.datasets.event_rows.row_weights`)
    label   int: 1 where the weight is above 0; 0 where it is below, or where a kind that goes by its value weighs nothing (a
            middling rating); else null: an impression, or looking once more, says neither
    """
    from pyspark.sql import functions as f

    frame = event_frame(spark, dataset, rows).withColumn("weight", _weight(schema))
    graded = [kind.code for kind in schema.kinds if kind is not None and len(kind.steps) > 1]
    label = f.when(f.col("weight") > 0, 1).when((f.col("weight") < 0) | f.col("kind").isin(graded), 0)
    frame = frame.withColumn("label", label)
    once = kinds_that_count_once(schema)
    return _without_repeats(frame, once) if once else frame


def _weight(schema: Schema) -> "Column":
    """`Schema.weight` of the columns kind and centi."""
    from pyspark.sql import functions as f

    kind, centi = f.col("kind"), f.col("centi")
    weight = f.lit(0)
    for each in schema.kinds:
        if each is None:
            continue
        (_, step), *more = each.steps
        found = f.lit(step)
        for start, step in more:
            found = f.when(centi >= start, step).otherwise(found)
        weight = f.when(kind == each.code, found).otherwise(weight)
    return weight.cast("int")


def _without_repeats(frame: "DataFrame", once: list[int]) -> "DataFrame":
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    of_user = Window.partitionBy("user_id").orderBy("seq").rowsBetween(Window.unboundedPreceding, 0)
    same_act = Window.partitionBy("user_id", "item_id", "kind").orderBy("seq")
    numbered = frame.withColumn("act", f.sum((f.col("kind") != IMPRESSION).cast("int")).over(of_user))
    earlier = f.col("act") - f.lag("act").over(same_act) <= RECENT
    repeated = numbered.withColumn("repeated", f.coalesce(earlier, f.lit(False)) & f.col("kind").isin(once))
    return (
        repeated.withColumn("weight", f.when(f.col("repeated"), 0).otherwise(f.col("weight")))
        .withColumn("label", f.when(~f.col("repeated"), f.col("label")))
        .drop("act", "repeated")
    )
