"""The weights between items that a history gives, as arrays in a folder (`features.relations`): `ease` and `similar`."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from features.base import EASE, SIMILAR
from features.relations import Ints, nearest, write_relations
from offline.datasets import Dataset, rows_between
from offline.ease import ease
from offline.similar import similar_items
from offline.spark import history_events
from offline.tables import part_files

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def write_history_relations(spark: "SparkSession", dataset: Dataset, rows: int, out: Path, scratch: Path) -> int:
    """Those of the first `rows` rows, in the new folder `out`; how many items have neighbours of any kind."""
    users, items = positives(dataset, rows)
    ids, linear = ease(users, items)
    starts, columns, values = nearest(linear)
    write_relations(out / EASE, ids, starts, ids[columns], values)

    ranked = similar_items(history_events(spark, dataset, rows)).select("item_id", "other", "weight", "place")
    ranked.coalesce(1).sortWithinPartitions("item_id", "place").write.parquet(str(scratch))
    tables = [pq.read_table(path) for path in part_files(scratch)]  # at most 50 rows for each item of the catalogue
    sources, others, weights = (
        np.concatenate([np.zeros(0, kind), *(table[name].to_numpy() for table in tables)])
        for name, kind in (("item_id", np.int64), ("other", np.int64), ("weight", np.float32))
    )
    known, starts = np.unique(sources, return_index=True)
    write_relations(out / SIMILAR, known, np.r_[starts, len(sources)], others, weights)
    return len(np.union1d(ids, known))


def positives(dataset: Dataset, rows: int) -> tuple[Ints, Ints]:
    """(users, items) of the rows rated at least 4 among the first `rows`, in their order."""
    users, items = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for batch in rows_between(dataset, 0, rows):
        good = batch["rating"].to_numpy() >= 4
        users.append(batch["user_id"].to_numpy()[good])
        items.append(batch["item_id"].to_numpy()[good])
    return np.concatenate(users), np.concatenate(items)
