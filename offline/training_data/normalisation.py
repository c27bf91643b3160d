"""Mean and spread of every input column over the samples: the maps that ride in a model's manifest."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from features.arrays import DoubleArray, FloatArray
from features.inputs.columns import cross_matrix
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import width_of
from offline.spark.parquet_tables import batches

MIN_STD: Final = 1e-3
"""A column that hardly varies is not blown up."""
CONSTANT: Final = 1e-9
"""A column that varies by no more does not vary: what is left is rounding."""


class ColumnStatistics:
    """Count, sum and sum of squares of columns, batch by batch, about the first batch's mean (for digits)."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.count = 0
        self._shift: DoubleArray | None = None
        self._sum = np.zeros(width)
        self._squares = np.zeros(width)

    def add(self, values: FloatArray) -> None:
        """`values` is [n, width], n > 0."""
        wide = values.astype(np.float64)
        if self._shift is None:
            self._shift = wide.mean(axis=0)
        wide -= self._shift
        self.count += len(wide)
        self._sum += wide.sum(axis=0)
        self._squares += (wide * wide).sum(axis=0)

    def mean(self) -> tuple[float, ...]:
        """0 for each column if nothing was added."""
        if self._shift is None:
            return (0.0,) * self.width
        return _rounded(self._shift + self._sum / self.count)

    def std(self) -> tuple[float, ...]:
        """At least MIN_STD, 0 for a column that never varied; 1 for each column if nothing was added."""
        if self.count == 0:
            return (1.0,) * self.width
        mean = self._sum / self.count
        spread = np.sqrt(np.maximum(self._squares / self.count - mean * mean, 0))
        return _rounded(np.where(spread > CONSTANT, np.maximum(spread, MIN_STD), 0))


def _rounded(values: DoubleArray) -> tuple[float, ...]:
    """Eight digits: what is beyond depends on how the rows happened to be cut into batches."""
    return tuple(float(f"{value:.8g}") for value in values.tolist())


def matrix(column: pa.ListArray, width: int) -> FloatArray:
    """A column of lists, all `width` long, as [n, width]."""
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(len(column), width)


def input_maps(samples: Path, vocabulary: Vocabulary) -> InputMaps:
    """The maps of the samples in a folder of Parquet parts; memory holds one batch."""
    user, item, cross = (ColumnStatistics(width_of(name, vocabulary)) for name in ("user", "item", "cross"))
    for batch in batches(samples, ("user", "item")):
        if batch.num_rows:
            users = matrix(batch.column(batch.schema.get_field_index("user")), user.width)
            items = matrix(batch.column(batch.schema.get_field_index("item")), item.width)
            user.add(users)
            item.add(items)
            cross.add(cross_matrix(users, items))
    return InputMaps(vocabulary, user.mean(), user.std(), item.mean(), item.std(), cross.mean(), cross.std())
