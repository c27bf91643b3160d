"""A base on disk as Spark would write it, in no time: for benchmarks, and for tests of what reads bases."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.base.mapped_table import table_parts
from features.base.past_sessions import SESSION_ARRAYS
from features.base.reader import (
    CATALOGUE,
    EASE,
    ITEMS,
    MANIFEST,
    PAIRS,
    RELATIONS,
    SESSIONS,
    SIMILAR,
    USERS,
    encode_catalogue_item,
)
from features.schema.document import FILE
from features.schema.tables import Schema
from features.types import Item, ItemId
from offline.item_weights.build import write_relations

Rows = Sequence[tuple[int, bytes]]
"""Of a table: (id, value), ids ascending."""


def write_small_base(
    folder: Path,
    schema: Schema,
    manifest: Mapping[str, Any],
    catalogue: Iterable[Item],
    users: Rows = (),
    items: Rows = (),
    near: Mapping[ItemId, Sequence[tuple[ItemId, float]]] | None = None,
) -> None:
    """Write a base into a new folder, numbered 1 unless the manifest says otherwise. users, items: states; near: of an item its
    neighbours with their weights, best first, in both kinds of relations, each with whom it had a session."""
    folder.mkdir(parents=True)
    tables: Mapping[str, Rows] = {
        USERS: users,
        ITEMS: items,
        PAIRS: (),
        CATALOGUE: [(item.item_id, encode_catalogue_item(item)) for item in catalogue],
    }
    for name, rows in tables.items():
        with (folder / name).open("wb") as file:
            file.writelines(table_parts(rows))
    near = near or {}
    ids = np.array(list(near), np.int64)
    starts = np.cumsum([0, *map(len, near.values())])
    pairs = [pair for pairs in near.values() for pair in pairs]
    others, weights = (
        np.array([other for other, _ in pairs], np.int64),
        np.array([each for _, each in pairs], np.float32),
    )
    for kind in (EASE, SIMILAR):
        write_relations(folder / RELATIONS / kind, ids, starts, others, weights)
    _write_sessions(folder / RELATIONS / SESSIONS, near)
    (folder / FILE).write_text(schema.text())
    (folder / MANIFEST).write_text(json.dumps({"number": 1, **manifest}))


def _write_sessions(folder: Path, near: Mapping[ItemId, Sequence[tuple[ItemId, float]]]) -> None:
    sessions = [sorted({item_id, *(other for other, _ in others)}) for item_id, others in near.items()]
    ids, members = np.unique(
        np.array([each for session in sessions for each in session], np.int64), return_inverse=True
    )
    ends, starts = np.arange(len(sessions)), np.cumsum([0, *map(len, sessions)])
    folder.mkdir(parents=True)
    for (name, kind), array in zip(SESSION_ARRAYS.items(), (ids, ends, starts, members), strict=True):
        np.save(folder / f"{name}.npy", np.asarray(array, kind))
