"""A tiny generator of samples as offline/training_data/rows.py writes them: tastes by genre that a model can find."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.inputs.columns import CROSS_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, cross_matrix
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import width_of
from tests.schemas import MOVIES

GENRES = ("Action", "Comedy", "Drama")


def write_samples(
    folder: Path,
    rows: int = 3000,
    users: int = 40,
    items: int = 60,
    genres: tuple[str, ...] = GENRES,
    files: int = 2,
    seed: int = 1,
    noise: bool = False,
    later: int = 0,
) -> InputMaps:
    """Write samples, maps.json and meta.json into `folder`; returns the maps. Ids are sparse, 3 apart from 10 on. Some items
    have a value outside of `genres`, and users a taste for that.

    With `noise` labels are coins tossed: nothing can be learned. later: ms by which all came later.
    """
    rng = np.random.default_rng(seed)
    width, item_width = width_of("user", genres), width_of("item", genres)
    liking = rng.normal(size=(users, len(genres) + 1)).clip(-1, 1).astype(np.float32)
    genre_of = (rng.random((items, len(genres) + 1)) < 0.4).astype(np.float32)
    quality = rng.normal(size=items).astype(np.float32)
    user, item = rng.integers(0, users, rows), rng.integers(0, items, rows)
    logit = np.zeros(rows) if noise else 2 * (liking[user] * genre_of[item]).sum(1) + 1.5 * quality[item] - 0.5
    label = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    user_rows = rng.normal(size=(rows, width)).astype(np.float32)
    user_rows[:, len(USER_COLUMNS) :] = np.tile(liking[user], (1, 3))
    item_rows = rng.normal(size=(rows, item_width)).astype(np.float32)
    item_rows[:, ITEM_COLUMNS.index("mean_rating")] = 3 + quality[item]
    item_rows[:, len(ITEM_COLUMNS) :] = genre_of[item]
    cross = cross_matrix(user_rows, item_rows)
    tables = (user_rows, item_rows, cross)
    spreads = [tuple(map(float, values)) for table in tables for values in (table.mean(0), table.std(0) + 1e-3)]
    maps = InputMaps(genres, *spreads)  # type: ignore[arg-type]  # six: the version after them is not given
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "maps.json").write_bytes(msgspec.json.encode(maps))
    (folder / "meta.json").write_text(json.dumps({"dataset": "synthetic", "rows": rows, "schema": MOVIES.digest}))
    (folder / "samples").mkdir(exist_ok=True)
    lists = pa.list_(pa.float32())
    table = pa.table(
        {
            "user_id": pa.array(user * 3 + 10, pa.int64()),
            "item_id": pa.array(item * 3 + 10, pa.int64()),
            "at": pa.array(np.arange(rows) * 1000 + 883_000_000_000 + later, pa.int64()),
            "label": pa.array(label, pa.float32()),
            "importance": pa.array(np.ones(rows), pa.float32()),
            "user": pa.array(list(user_rows), lists),
            "item": pa.array(list(item_rows), lists),
            "seq": pa.array(np.arange(rows), pa.int64()),
        }
    )
    assert len(CROSS_COLUMNS) == cross.shape[1]
    for file in range(files):
        pq.write_table(table.take(np.arange(file, rows, files)), folder / "samples" / f"part-{file}.parquet")
    return maps
