"""A tiny generator of asks as offline/training_data/ranking_lists.py writes them: who likes an item likes the next
one, and one signal says which."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.inputs.history import history_of, mark_of
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import width_of
from features.inputs.signals import SIGNAL_COLUMNS
from features.types import RATING
from tests.models.synthetic_rows import GENRES
from tests.schemas import MOVIES

START = 883_000_000_000
ITEMS = 60
FIRST_SHARE = 0.6


def write_ranking_lists(
    folder: Path,
    users: int = 120,
    events: int = 24,
    candidates: int = 12,
    seed: int = 1,
    later: int = 0,
    acts: bool = False,
) -> None:
    """Write asks, sequences, maps.json and meta.json into `folder`. Ids are sparse, 3 apart from 10 on. With `later` they are
    asks of lists that were shown so many ms later: without sequences, unless with `acts`."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        item = int(rng.integers(0, ITEMS))
        for number in range(events):
            rows.append(
                (
                    START + later + (user * 7 + number * 300) * 1000,
                    user * 3 + 10,
                    item * 3 + 10,
                    rng.choice([3.0, 4.0, 5.0]),
                )
            )
            item = (item + 1) % ITEMS if rng.random() < 0.8 else int(rng.integers(0, ITEMS))
    rows.sort()
    first = int(len(rows) * FIRST_SHARE)
    width = width_of("user", GENRES)
    histories: dict[int, list[tuple[int, int, int, int, int, float]]] = {}
    ranking_lists: list[dict[str, Any]] = []
    for seq, (ts, user_id, item_id, rating) in enumerate(rows):
        before = histories.setdefault(user_id, [])
        if seq >= first and rating >= 4:
            others = rng.permutation(ITEMS)[:candidates] * 3 + 10
            items = np.unique(np.append(others, item_id))
            signals = rng.random((len(items), len(SIGNAL_COLUMNS))).astype(np.float32)
            signals[items == item_id, 0] += 0.3
            recent = [(item, when, RATING, centi) for _, item, when, centi, *_ in before]
            history, marks, gaps = history_of(recent, ts)
            ranking_lists.append(
                {
                    "seq": seq, "user_id": user_id, "at": ts, "history": history, "history_marks": marks,
                    "history_gaps": gaps, "user": np.zeros(width, np.float32),
                    "items": items, "answer": int(np.flatnonzero(items == item_id)[0]), "signals": signals.ravel(),
                    "importance": 1.0,
                }
            )  # fmt: skip
        centi = int(rating * 100)
        before.append((seq, item_id, ts, centi, mark_of(RATING, centi), float(rating >= 4)))
    maps = InputMaps(GENRES, (0.0,) * width, (1.0,) * width)
    (folder / "asks").mkdir(parents=True, exist_ok=True)
    (folder / "maps.json").write_bytes(msgspec.json.encode(maps))
    meta = {"dataset": "synthetic", "first": first, "shown": later > 0, "schema": MOVIES.digest}
    (folder / "meta.json").write_text(json.dumps(meta))
    half = len(ranking_lists) // 2
    for part, some in enumerate((ranking_lists[:half], ranking_lists[half:])):
        table = pa.table({name: [each[name] for each in some] for name in ranking_lists[0]})
        pq.write_table(table, folder / "asks" / f"part-{part}.parquet")
    columns = {
        "user_id": list(histories),
        **{
            name: [[event[at] for event in events_] for events_ in histories.values()]
            for name, at in (("seqs", 0), ("items", 1), ("marks", 4), ("times", 2), ("importances", 5))
        },
    }
    if acts or not later:
        (folder / "sequences").mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), folder / "sequences" / "part-0.parquet")
