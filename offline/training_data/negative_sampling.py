"""Sampling: which rows become samples, and which items serve as negatives of each positive. Data frames alone.

Every choice is a hash of the seed and row numbers, so it is the same in every run and on every machine, and a row's
choices depend on rows before it alone.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TRIES: Final = 3
"""Draws for each negative wanted: a draw that hits what the user has rated, or an item drawn before, is lost."""
_MILLION: Final = 1_000_000


def labelled(events: "DataFrame", share: float, seed: int) -> "DataFrame":
    """Rows (seq, user_id, item_id, at, label): rated at least 4 is label 1, rated less is label 0; `share` of them all."""
    from pyspark.sql import functions as f

    frame = events.select(
        "seq", "user_id", "item_id", f.col("ts").alias("at"), (f.col("rating") >= 4).cast("float").alias("label")
    )
    if share >= 1:
        return frame
    key = f.pmod(f.xxhash64(f.lit(seed).cast("bigint"), f.lit("keep"), f.col("seq")), f.lit(_MILLION))
    return frame.where(key < int(share * _MILLION))


def drawn(events: "DataFrame", labels: "DataFrame", negatives: int, seed: int) -> "DataFrame":
    """Rows (seq, user_id, item_id, at, label 0): for each positive at most `negatives` items the user has not rated yet.

    An item is that of a row drawn evenly from those before the positive, so it is drawn by its popularity at that time;
    what the user has rated in any row up to the positive itself is left out. Early positives may get fewer.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    draw = f.explode(f.sequence(f.lit(0), f.lit(max(TRIES * negatives - 1, 0)))).alias("draw")
    key = f.xxhash64(f.lit(seed).cast("bigint"), f.col("seq"), f.col("draw"))
    draws = (
        labels.where("label = 1 AND seq > 0")
        .select("seq", "user_id", "at", draw)
        .withColumn("row", f.pmod(key, f.col("seq")))
    )
    candidates = draws.join(events.select(f.col("seq").alias("row"), "item_id"), "row")
    rated = events.groupBy("user_id", "item_id").agg(f.min("seq").alias("rated_at"))
    unrated = candidates.join(rated, ["user_id", "item_id"], "left").where("rated_at IS NULL OR rated_at > seq")
    once = unrated.groupBy("seq", "item_id").agg(
        f.first("user_id").alias("user_id"), f.first("at").alias("at"), f.min("draw").alias("draw")
    )
    order = Window.partitionBy("seq").orderBy("draw")
    return (
        once.withColumn("place", f.row_number().over(order))
        .where(f.col("place") <= negatives)
        .select("seq", "user_id", "item_id", "at", f.lit(0.0).cast("float").alias("label"))
    )
