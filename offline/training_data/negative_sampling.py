"""Sampling: which rows become samples, and which items serve as negatives of each positive. Data frames alone.

Events are those of `offline.spark.weighted_events`. The importance of a sample is what it counts in training: the size of its
event's weight over the mean of the positives' weights, 1 where the event weighs nothing. Every choice is a hash of the seed and
row numbers, so it is the same in every run and on every machine, and a row's choices depend on rows before it alone.
"""

from typing import TYPE_CHECKING, Final

from features.types import IMPRESSION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TRIES: Final = 3
"""Draws for each negative wanted: a draw that hits what the user has acted on, or an item drawn before, is lost."""
_MILLION: Final = 1_000_000


def labelled(events: "DataFrame", share: float, seed: int, mean_weight: float) -> "DataFrame":
    """Rows (seq, user_id, item_id, at, label, importance) of the events that have a label; `share` of them all."""
    from pyspark.sql import functions as f

    importance = f.when(f.col("weight") == 0, 1.0).otherwise(f.abs("weight") / mean_weight)
    frame = events.where("label IS NOT NULL").select(
        "seq",
        "user_id",
        "item_id",
        f.col("ts").alias("at"),
        f.col("label").cast("float").alias("label"),
        importance.cast("float").alias("importance"),
    )
    if share >= 1:
        return frame
    key = f.pmod(f.xxhash64(f.lit(seed).cast("bigint"), f.lit("keep"), f.col("seq")), f.lit(_MILLION))
    return frame.where(key < int(share * _MILLION))


def drawn(events: "DataFrame", labels: "DataFrame", negatives: int, seed: int) -> "DataFrame":
    """Rows (seq, user_id, item_id, at, label 0, importance): for each positive at most `negatives` items that the user has not
    acted on yet, each as important as the positive.

    An item is that of an act drawn evenly from those before the positive, so it is drawn by its popularity at that time;
    what the user has acted on in any row up to the positive itself is left out. Early positives may get fewer.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    draw = f.explode(f.sequence(f.lit(0), f.lit(max(TRIES * negatives - 1, 0)))).alias("draw")
    key = f.xxhash64(f.lit(seed).cast("bigint"), f.col("seq"), f.col("draw"))
    draws = (
        labels.where("label = 1 AND seq > 0")
        .select("seq", "user_id", "at", "importance", draw)
        .withColumn("row", f.pmod(key, f.col("seq")))
    )
    acts = events.where(f.col("kind") != IMPRESSION)
    candidates = draws.join(acts.select(f.col("seq").alias("row"), "item_id"), "row")
    known = acts.groupBy("user_id", "item_id").agg(f.min("seq").alias("known_at"))
    unknown = candidates.join(known, ["user_id", "item_id"], "left").where("known_at IS NULL OR known_at > seq")
    once = unknown.groupBy("seq", "item_id").agg(
        *(f.first(name).alias(name) for name in ("user_id", "at", "importance")), f.min("draw").alias("draw")
    )
    order = Window.partitionBy("seq").orderBy("draw")
    return (
        once.withColumn("place", f.row_number().over(order))
        .where(f.col("place") <= negatives)
        .select("seq", "user_id", "item_id", "at", f.lit(0.0).cast("float").alias("label"), "importance")
    )
