"""Which items are liked one after another: item-to-item neighbours, in Spark's own data frames.

Each positive of a user is paired with the at most 20 positives before it; a pair that lies g apart counts (1 + g)^-½ times the
smaller of the two weights (a look before a purchase is a look), in whole 1/65,536 so that the sum does not depend on the order
of adding. A pair's weight is its sum over √(popularity · popularity), popularity being the sum of an item's weights, with a
shrinkage, in mean weights, that keeps chance meetings of rare items small: half the weights for all give the same. No join is
cartesian: pairs come out of each user's own window.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GAP: Final = 20
TOP: Final = 50
SHRINKAGE: Final = 10.0
ONE: Final = 65_536


def similar_items(events: "DataFrame", mean_weight: float) -> "DataFrame":
    """Rows (item_id, other, weight, place): for each item its at most 50 best neighbours, place 1 being the best.

    `events` has seq, user_id, item_id, weight (units of the schema); `mean_weight` is that of its positives. Weights are above
    0; equal ones are ordered by the neighbour's id.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    positives = events.where("weight > 0").select("user_id", "seq", "item_id", "weight")
    before = Window.partitionBy("user_id").orderBy("seq").rowsBetween(-GAP, -1)
    # The nearest of the window stands last.
    window = f.collect_list(f.struct("item_id", "weight")).over(before).alias("window")
    near = positives.select("item_id", "weight", window).select(
        "item_id", "weight", f.posexplode(f.reverse("window")).alias("gap", "earlier")
    )
    other, smaller = f.col("earlier.item_id"), f.least("weight", f.col("earlier.weight"))
    weights = f.array(*(f.lit(round(ONE / (2 + gap) ** 0.5)).cast("bigint") for gap in range(GAP)))
    pairs = (
        near.where(f.col("item_id") != other)
        .select(
            f.least("item_id", other).alias("left"),
            f.greatest("item_id", other).alias("right"),
            (f.get(weights, f.col("gap")) * smaller).alias("weight"),
        )
        .groupBy("left", "right")
        .agg(f.sum("weight").alias("weight"))
    )
    popular = positives.groupBy("item_id").agg(f.sum("weight").cast("double").alias("positives"))
    left = popular.select(f.col("item_id").alias("left"), f.col("positives").alias("left_positives"))
    right = popular.select(f.col("item_id").alias("right"), f.col("positives").alias("right_positives"))
    norm = f.sqrt(f.col("left_positives") * f.col("right_positives")) + SHRINKAGE * mean_weight
    scored = (
        pairs.join(left, "left")
        .join(right, "right")
        .select("left", "right", (f.col("weight") / ONE / norm).alias("weight"))
    )
    both = scored.selectExpr("left AS item_id", "right AS other", "weight").unionAll(
        scored.selectExpr("right AS item_id", "left AS other", "weight")
    )
    best = Window.partitionBy("item_id").orderBy(f.desc("weight"), "other")
    return both.withColumn("place", f.row_number().over(best)).where(f.col("place") <= TOP)
