"""The log as a data set: what a home has seen so far, history and log, kept as files are, so that a base of the log has rows
of its own to learn neighbours and models from."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from features.contracts.events import id_hash
from features.schema.tables import Schema
from features.types import Event, Item
from offline.base.applied_log import AppliedLog
from offline.datasets.dataset import Dataset, keep_dataset, open_dataset
from offline.datasets.event_history import Happened

BATCH_ROWS: Final = 65_536
_NUMBERS: Final = ("user_id", "item_id", "kind", "centi", "ts", "id")
_WORDS: Final = pa.dictionary(pa.int32(), pa.string())
_ROWS: Final = pa.schema(
    [*((name, pa.int64()) for name in _NUMBERS), *((name, _WORDS) for name in ("user", "item", "context"))]
)


def take_log(
    name: str, data_dir: Path, history: Dataset, applied: AppliedLog, items: Sequence[Item], schema: Schema
) -> Dataset:
    """Keep all that was learned as the data set `name`; the data set. Memory holds no event as an object but those of one batch:
    56 bytes of columns an event and each id once as text, and several times that while the columns are put into order."""
    events = chain(applied.history(history), applied.events())
    values = {kind.name: kind.value for kind in schema.kinds if kind and kind.value}
    keep_dataset(name, data_dir, happened(events, schema), items, values, applied.profiles(), applied.until)
    return open_dataset(str(data_dir / name), data_dir, schema)


def happened(events: Iterable[Event], schema: Schema, at_once: int = BATCH_ROWS) -> Happened:
    """Events as the rows of a history. at_once: limit of events that memory holds as objects."""
    table = pa.Table.from_batches(_batches(events, at_once), _ROWS).unify_dictionaries()
    users, items, codes, centis, times, own = (table[name].to_numpy() for name in _NUMBERS)
    user, item, context = (_whole(table[name]) for name in ("user", "item", "context"))
    known, kinds, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    valued = np.array([schema.kind(code).value is not None for code in known.tolist()], bool)[kinds]
    names = tuple(schema.kind(code).name for code in known[order].tolist())
    return Happened(users, items, ranks[kinds], centis, valued, times, names, user, item, own, context)


def _batches(events: Iterable[Event], at_once: int) -> Iterator[pa.RecordBatch]:
    """Events in batches of bounded size."""
    source = iter(events)
    while some := list(islice(source, at_once)):
        numbers = [[getattr(event, name) for event in some] for name in _NUMBERS[:-1]]
        numbers.append([id_hash(event.event_id) for event in some])
        users = pa.array([event.user or str(event.user_id) for event in some], pa.string())
        items = pa.array([event.item or str(event.item_id) for event in some], pa.string())
        context = pa.array([event.context for event in some], pa.string())
        columns = [pa.array(column, pa.int64()) for column in numbers]
        columns += [words.dictionary_encode() for words in (users, items, context)]
        yield pa.RecordBatch.from_arrays(columns, schema=_ROWS)


def _whole(column: pa.ChunkedArray) -> pa.DictionaryArray:
    array = column.combine_chunks()
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
