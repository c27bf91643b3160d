"""The files between Martlet's environment and the peers': rows one way, lists the other. NumPy alone reads and writes them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.arrays import IntArray


@dataclass(frozen=True)
class ProtocolRows:
    """All acts of a data set in the protocol's order, and which of them are queries.

    users, items, weights, times   [R] ids, what an act counts (units of the schema), ms
    hidden                         [R] the time until which the act keeps its item out of its user's lists, ms; 0: it does not
    first                          rows before it are the history, which may be learned from
    queries                        [A] numbers of the rows that are predicted before they are known
    """

    users: IntArray
    items: IntArray
    weights: IntArray
    times: IntArray
    hidden: IntArray
    first: int
    queries: IntArray

    def write(self, path: Path) -> None:
        np.savez(path, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> "ProtocolRows":
        with np.load(path) as file:
            arrays: dict[str, Any] = {name: file[name] for name in cls.__dataclass_fields__}
            return cls(**arrays | {"first": int(file["first"])})

    def between(self, first: int, end: int) -> "ProtocolRows":
        """The same protocol over the rows before `end` alone, with those before `first` as history."""
        columns = self.users, self.items, self.weights, self.times, self.hidden
        users, items, weights, times, hidden = (column[:end] for column in columns)
        known_before = np.ones(end, bool)
        known_before[np.unique(items, return_index=True)[1]] = False
        queries = np.flatnonzero((weights > 0) & known_before)
        return ProtocolRows(users, items, weights, times, hidden, first, queries[queries >= first])


@dataclass(frozen=True)
class Peer:
    """lists: [A, top] item ids, best first, −1 where a list ends; seconds to learn; seconds to answer all queries."""

    lists: IntArray
    learned: float
    query_seconds: float


def write_peers(path: Path, peers: dict[str, Peer]) -> None:
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name, peer in peers.items():
        arrays[f"{name}|lists"] = peer.lists
        arrays[f"{name}|seconds"] = np.array([peer.learned, peer.query_seconds])
    np.savez(path, **arrays)


def read_peers(path: Path) -> dict[str, Peer]:
    with np.load(path) as file:
        names = [key.removesuffix("|lists") for key in file.files if key.endswith("|lists")]
        return {name: Peer(file[f"{name}|lists"], *map(float, file[f"{name}|seconds"])) for name in names}
