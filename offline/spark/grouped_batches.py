"""Workers of Spark have one form: batches sorted by a key go in, whole groups are folded, batches come out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

Columns = list[list[Any]]
Row = tuple[Any, ...]


def pieces(batches: Iterable[pa.RecordBatch], key: str) -> Iterator[tuple[int, Columns]]:
    """Rows with equal `key` that lie together in a batch: the key, and all other columns as lists, in their order.

    A group that goes over several batches comes in as many pieces, one after another. Holds one batch in memory.
    """
    for batch in batches:
        if batch.num_rows == 0:
            continue
        at = batch.schema.get_field_index(key)
        keys = batch.column(at).to_numpy()
        lists = [_values(column) for number, column in enumerate(batch.columns) if number != at]
        bounds = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
        for low, high in pairwise(bounds):
            yield int(keys[low]), [values[low:high] for values in lists]


def streams(batches: Iterable[pa.RecordBatch], key: str) -> Iterator[tuple[int, Iterator[Row]]]:
    """Groups of rows with equal `key`, which must lie together: the key, and its rows without it, as they come.

    Holds one batch in memory, however large a group is. A group's rows must be consumed before the next group.
    """
    for group, same in groupby(pieces(batches, key), key=itemgetter(0)):
        yield group, (row for _, lists in same for row in zip(*lists, strict=True))


def runs(batches: Iterable[pa.RecordBatch], key: str) -> Iterator[tuple[int, Columns]]:
    """Groups of rows with equal `key`, which must lie together: the key, and all other columns as lists, in their order.

    Holds one batch and one group in memory.
    """
    for group, same in groupby(pieces(batches, key), key=itemgetter(0)):
        whole: Columns = []
        for _, more in same:
            if not whole:
                whole = more
                continue
            for values, others in zip(whole, more, strict=True):
                values.extend(others)
        yield group, whole


def _values(column: pa.Array) -> list[Any]:
    if column.null_count == 0 and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return list(column.to_numpy().tolist())  # a good deal faster than to_pylist
    return list(column.to_pylist())


class RowBuffer:
    """Rows of output, handed on as record batches of bounded size."""

    def __init__(self, schema: pa.Schema, max_rows: int = 2_000, max_bytes: int = 8 << 20) -> None:
        self._schema = schema
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._rows: list[Sequence[Any]] = []
        self._bytes = 0

    def add(self, row: Sequence[Any], size: int = 0) -> bool:
        """Keep a row of about `size` bytes; whether it is time to `take`."""
        self._rows.append(row)
        self._bytes += size
        return len(self._rows) >= self._max_rows or self._bytes >= self._max_bytes

    def take(self) -> Iterator[pa.RecordBatch]:
        """The rows collected so far, as one batch; nothing where there are none."""
        if self._rows:
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._rows, self._bytes = [], 0
            yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)
