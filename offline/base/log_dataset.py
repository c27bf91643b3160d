"""The log as a data set: what a home has seen so far, history and log, kept as files are, so that a base of the log has rows
of its own to learn neighbours and models from."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.contracts.events import id_hash
from features.schema.tables import Schema
from features.types import Event, Item
from offline.base.applied_log import AppliedLog
from offline.datasets.dataset import Dataset, keep_dataset, open_dataset
from offline.datasets.event_history import Happened


def take_log(
    name: str, data_dir: Path, history: Dataset, applied: AppliedLog, items: Sequence[Item], schema: Schema
) -> Dataset:
    """Keep all that was learned as the data set `name`; the data set. Memory holds some 200 bytes an event."""
    events = chain(applied.history(history), applied.events())
    keep_dataset(name, data_dir, happened(events, schema), items)
    return open_dataset(name, data_dir, schema)


def happened(events: Iterable[Event], schema: Schema) -> Happened:
    """Events as the rows of a history."""
    rows = [
        (
            event.user_id,
            event.item_id,
            event.kind,
            event.centi,
            event.ts,
            event.user or str(event.user_id),
            event.item or str(event.item_id),
            id_hash(event.event_id),
        )
        for event in events
    ]
    columns = list(zip(*rows, strict=True)) or [()] * 8
    users, items, codes, centis, times = (np.array(column, np.int64) for column in columns[:5])
    user, item = (pa.array(column, pa.string()) for column in columns[5:7])
    own = np.array(columns[7], np.int64)
    known, kinds, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    valued = np.array([schema.kind(code).value is not None for code in known.tolist()], bool)[kinds]
    names = tuple(schema.kind(code).name for code in known[order].tolist())
    return Happened(users, items, ranks[kinds], centis, valued, times, names, user, item, own)
