"""Input of a library: the history with users and items as row numbers, and for each query its user's newest rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from features.arrays import IntArray, RealArray
from offline.evaluation.peers.exchange import ProtocolRows

TOP = 10
NO_ITEM = -1
BATCH = 256


@dataclass(frozen=True)
class InteractionLog:
    """The rows that may be learned from, in time order.

    ids           [N] item ids, ascending: `items` are rows of it
    users, items  [R] row numbers; times [R] ms
    """

    ids: IntArray
    users: IntArray
    items: IntArray
    times: IntArray


class Library(Protocol):
    """One method of one library."""

    def learn(self, log: InteractionLog) -> None: ...

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        """[B, N] of users by the items of their newest rows, the newest last; NaN or −inf where it has no opinion."""


def learnable(rows: ProtocolRows, positive: bool) -> InteractionLog:
    """The history as a log, of its rows of a weight above 0 or of all; items are those of all history rows either way."""
    ids = np.unique(rows.items[: rows.first])
    learned_rows = np.flatnonzero(rows.weights[: rows.first] > 0) if positive else np.arange(rows.first)
    users = np.unique(rows.users[learned_rows], return_inverse=True)[1]
    return InteractionLog(ids, users, np.searchsorted(ids, rows.items[learned_rows]), rows.times[learned_rows])


def answer_queries(
    rows: ProtocolRows, log: InteractionLog, positive: bool, library: Library, top: int = TOP
) -> IntArray:
    """[A, top] item ids for every query, −1 where a list ends. What an earlier act still hides from the user is never shown, and
    popularity in the log fills a list up where the library has no opinion, as anybody would have it."""
    popularity = np.bincount(log.items, minlength=len(log.ids)) / (len(log.items) + 1)
    row_of = np.searchsorted(log.ids, rows.items)
    known = row_of < len(log.ids)
    known[known] = log.ids[row_of[known]] == rows.items[known]
    liked = known & (rows.weights > 0) if positive else known
    of_user: dict[int, list[int]] = {}
    queries = set(rows.queries.tolist())
    lists: list[IntArray] = []
    histories: list[IntArray] = []
    hidden: list[IntArray] = []

    def flush() -> None:
        scores = np.asarray(library.score(histories), np.float64)
        for line, mine in zip(scores, hidden, strict=True):
            ours = np.isfinite(line)
            ours[mine] = False
            filled = np.where(ours, line, -np.inf)
            rest = popularity.copy()
            rest[mine] = -np.inf
            order = np.lexsort((-rest, -filled))[:top]
            order = order[np.isfinite(rest[order])]  # what is hidden stands last by both
            lists.append(np.r_[log.ids[order], np.full(top - len(order), NO_ITEM)])
        histories.clear()
        hidden.clear()

    for number, user in enumerate(rows.users.tolist()):
        mine = of_user.setdefault(user, [])
        if number in queries:
            so_far = np.array(mine, np.int64)
            histories.append(row_of[so_far[liked[so_far]]])
            hidden.append(row_of[so_far[known[so_far] & (rows.hidden[so_far] > rows.times[number])]])
            if len(histories) == BATCH:
                flush()
        mine.append(number)
    if histories:
        flush()
    return np.array(lists, np.int64).reshape(-1, top)
