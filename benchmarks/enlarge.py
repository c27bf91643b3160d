"""Makes a larger data set from a small one: `python -m benchmarks.enlarge ml-100k 20 /data/ml-100k-x20`, then `--dataset FOLDER`.

Copy 0 is the original. In every other copy each user is someone else (user + copy · offset) who does the same things in the
same order and at the same intervals, all of it earlier or later by up to `--jitter` days: what is popular when, what follows
what and how ratings come in bursts stays as it was, while users, rows and load grow. No event leaves the original's time span.
With `--items` each copy has items of its own too, so that the catalogue grows as well.
"""

import csv
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import typer

from features.arrays import IntArray
from features.durable import atomic_file
from features.errors import BadInput
from features.types import MAX_ID, Item
from features.units import DAY_S
from offline.datasets.dataset import Dataset, open_dataset, rows_between


def enlarge(dataset: Dataset, times: int, folder: Path, seed: int, jitter: int = DAY_S, own_items: bool = False) -> int:
    """Write `times` copies as ratings.csv and movies.csv into `folder`; returns the number of ratings. `jitter` in seconds.

    Memory grows with the number of users, not of rows. The same seed gives the same bytes. Raises BadInput if user ids
    would not fit or `folder` holds a data set already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "ratings.csv").exists():
        raise BadInput(str(folder), "a folder without a data set", "ratings.csv")
    users, earliest, latest = _users(dataset)
    offset = 10 ** len(str(users[-1]))  # so that ids can be read: user 7 of copy 3 is 3007
    if users[-1] + offset * (times - 1) > MAX_ID:
        raise BadInput("copies", f"user ids up to {MAX_ID}", f"{users[-1] + offset * (times - 1)}")
    item_offset = 10 ** len(str(max(item.item_id for item in dataset.items))) if own_items else 0
    low = np.maximum(dataset.first_ts // 1000 - earliest, -jitter)
    high = np.minimum(dataset.last_ts // 1000 - latest, jitter)
    shifts = np.random.default_rng(seed).integers(low, high, size=(times, len(users)), endpoint=True)
    shifts[0] = 0
    _write_items(
        dataset.items, folder / "movies.csv", [copy * item_offset for copy in range(times if own_items else 1)]
    )
    schema = pa.schema(
        [("userId", pa.int64()), ("movieId", pa.int64()), ("rating", pa.float64()), ("timestamp", pa.int64())]
    )
    rows = 0
    with atomic_file(folder / "ratings.csv") as temporary, pacsv.CSVWriter(temporary, schema) as writer:
        for user, item, rating, seconds in _batches(dataset):
            at = np.searchsorted(users, user)
            for copy in range(times):
                items = pa.array(item.to_numpy() + copy * item_offset)
                arrays = [pa.array(user + copy * offset), items, rating, pa.array(seconds + shifts[copy][at])]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                rows += len(at)
    return rows


def _batches(dataset: Dataset) -> Iterator[tuple[IntArray, pa.Array, pa.Array, IntArray]]:
    """Yields users, items, ratings and seconds of the rows, batch by batch."""
    for batch in rows_between(dataset, 0, dataset.rows):
        ratings = pc.divide(batch["centi"].cast(pa.float64()), 100.0)
        yield batch["user_id"].to_numpy(), batch["item_id"], ratings, batch["ts"].to_numpy() // 1000


def _users(dataset: Dataset) -> tuple[list[int], IntArray, IntArray]:
    """Returns the users, ascending, and the seconds of each one's first and last event."""
    spans: dict[int, tuple[int, int]] = {}
    for user, _, _, seconds in _batches(dataset):
        for each, at in zip(user.tolist(), seconds.tolist(), strict=True):
            spans[each] = (spans[each][0] if each in spans else at, at)  # rows come in the order of time
    users = sorted(spans)
    earliest, latest = np.array([spans[user] for user in users]).T
    return users, earliest, latest


def _write_items(items: list[Item], path: Path, offsets: list[int]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["movieId", "title", "genres"])
        for offset, item in product(offsets, items):
            title = f"{item.title} ({item.year})" if item.year else item.title
            out.writerow([item.item_id + offset, title, "|".join(item.labels) or "(no genres listed)"])


def main(
    dataset: Annotated[str, typer.Argument(help="ml-100k or another known data set, or a folder.")],
    times: Annotated[int, typer.Argument(min=1, max=100_000, help="How many copies, the original included.")],
    folder: Annotated[Path, typer.Argument(help="Where to: a new folder, whose name the data set then has.")],
    seed: Annotated[int, typer.Option()] = 1,
    jitter: Annotated[
        float, typer.Option(min=0, help="Days by which a copied user is earlier or later at most.")
    ] = 1.0,
    items: Annotated[bool, typer.Option("--items", help="Each copy has items of its own.")] = False,
    data: Annotated[Path, typer.Option(help="Where data sets are kept once read.")] = Path(".martlet/data"),
) -> None:
    """Make a data set of `times` as many users and ratings."""
    rows = enlarge(open_dataset(dataset, data), times, folder, seed, int(jitter * DAY_S), items)
    typer.echo(f"{rows} ratings in {folder}; use it with --dataset {folder}")


if __name__ == "__main__":
    typer.run(main)
