"""Drawn histories of events of any kind, as data sets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.base.reader import Base
from features.schema.tables import Schema
from offline.base.from_dataset import make_base
from offline.datasets.dataset import Dataset

START = 1_600_000_000_000
GENRES = ("Shoes", "Bags", "Hats")
OF_GENRE = 30
"""Items of a genre: more than the acts among which a look counts once."""
ITEMS = OF_GENRE * len(GENRES)


def drawn_events(
    folder: Path, schema: Schema, shares: Mapping[str, float], rows: int = 3_000, seed: int = 1
) -> Dataset:
    """A data set of users who each like one of three genres best and go on with the item after the one before.

    shares: name of a kind of event → its share of the rows.
    """
    rng = np.random.default_rng(seed)
    columns: dict[str, list[int]] = {name: [] for name in ("user_id", "item_id", "kind", "centi", "ts")}
    newest: dict[int, int] = {}
    for number in range(rows):
        user = int(rng.integers(0, 60))
        before = newest.get(user, user % 3 * OF_GENRE)
        following = before // OF_GENRE * OF_GENRE + (before + 1) % OF_GENRE
        item = following if rng.random() < 0.8 else int(rng.integers(0, ITEMS))
        newest[user] = item
        kind = schema.kind(schema.code_of[str(rng.choice(list(shares), p=list(shares.values())))])
        value = int(rng.choice([50, 250, 300, 400, 500]))
        row = (user + 1, item + 1, kind.code, value if kind.value else 0, START + number * 30_000)
        for column, each in zip(columns.values(), row, strict=True):
            column.append(each)
    folder.mkdir(parents=True)
    numbers = {name: [""] * rows for name in ("user", "item", "context")}
    pq.write_table(pa.table({**columns, **numbers}), folder / "rows.parquet")
    items, labels = schema.items, schema.items.labels
    catalogue = [
        items.item(number + 1, f"Thing {number}", {} if labels is None else {labels: GENRES[number // OF_GENRE]})
        for number in range(ITEMS)
    ]
    last_ts = START + (rows - 1) * 30_000
    return Dataset("drawn", folder / "rows.parquet", catalogue, rows, START, last_ts)


def base_under(spark: Any, dataset: Dataset, schema: Schema, history: float, folder: Path) -> Base:
    """A base with that schema, whose history is a share of the rows. Its states are those of nothing: training data is made of
    the rows."""
    make_base(spark, dataset, 0.0, folder, schema)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["history_rows"] = int(history * dataset.rows)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Base(folder)
