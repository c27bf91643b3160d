"""`python -m offline.datasets.tie_order FOLDER TIES`: put the rows of a data set that share a time into another order, for an
evaluation.

How good lists are must not depend on an order that nobody chose. What a data set is taken with is the hash of
`offline.datasets.event_history`; a seed draws another one. The order of ids, the same for all users, is there to show what a
model makes of it (`./martlet evaluate --anew --ties id`).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import IntArray
from features.durable import atomic_file, write_whole
from features.errors import BadInput, Broken
from offline.console import run
from offline.datasets.dataset_names import TAKEN
from offline.datasets.event_history import GROUP_ROWS
from offline.datasets.taking import HISTORY, read_json

BY_ID: Final = "id"


def order_ties(folder: Path, ties: str) -> None:
    """Put the rows of a taken data set into the order of (time, what `ties` says): a seed, or BY_ID for (user, item). Its folder
    says so. Raises BadInput for what is neither, Broken for a folder that holds no data set."""
    try:
        table = pq.read_table(folder / HISTORY)
    except (OSError, pa.ArrowInvalid) as error:
        raise Broken(f"{folder} holds no data set that was taken: {error}") from error
    times = table["ts"].to_numpy()
    if ties == BY_ID:
        order = np.lexsort((_ranks(table["item"]), _ranks(table["user"]), times))
    elif ties.isdecimal():
        order = np.lexsort((np.random.default_rng(int(ties)).permutation(len(times)), times))
    else:
        raise BadInput("--ties", f"{BY_ID} or a whole number", ties)
    with atomic_file(folder / HISTORY) as temporary:
        pq.write_table(table.take(pa.array(order)), temporary, row_group_size=GROUP_ROWS, compression="zstd")
    write_whole(folder / TAKEN, json.dumps(read_json(folder / TAKEN) | {"ties": ties}, indent=1).encode())


def _ranks(column: pa.ChunkedArray) -> IntArray:
    """[n] ranks of ids: numbers by their value, before any other text."""
    words = column.cast(pa.string()).to_pylist()
    known = sorted(set(words), key=lambda word: (0, int(word), "") if word.isdecimal() else (1, 0, word))
    rank_of = {word: rank for rank, word in enumerate(known)}
    return np.array([rank_of[word] for word in words], np.int64)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.datasets.tie_order", description="Order ties anew.")
    parser.add_argument("folder", type=Path, help="DATA_DIR/NAME, a data set that was taken")
    parser.add_argument("ties", help=f"a seed, or {BY_ID}")
    given = parser.parse_args(argv)
    return run(lambda: order_ties(given.folder, given.ties))


if __name__ == "__main__":
    sys.exit(main())
