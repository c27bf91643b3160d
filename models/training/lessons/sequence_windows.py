"""Histories cut into windows of L + 1 events, for sequence models.

People rate pages of films in one second, and the order in which rows of one second stand says nothing. So what one user did in
one second is put in another order for each pass (`WindowedHistories.drawn`), and an encoder does not learn the one that the rows
happen to have. Lists that were shown bring their histories as windows already, in the order of the log (`Windows`).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from features.arrays import FloatArray, IntArray
from features.inputs.history import LENGTH, NOTHING, gap_of
from features.units import SECOND_MS

TAUGHT: Final = LENGTH // 2
"""At most so many positions of a window, the last ones, teach; those before them are context."""
NOT_POSITIVE: Final = 0.5
"""Weight of a next event that is not positive: it shows what the user came across."""


@dataclass(frozen=True)
class Histories:
    """All rows of all users, one user after the other, each in order. seqs, items, marks, times (ms): int64 [n]; importances:
    float32 [n], 0 for an event that is not positive; starts: int64 [users + 1]."""

    seqs: IntArray
    items: IntArray
    marks: IntArray
    times: IntArray
    importances: FloatArray
    starts: IntArray


@dataclass(frozen=True)
class Windows:
    """Parts of histories, L + 1 events each. inputs: items, marks [n, L] and gaps [n, L + 1]; following: int64 [n, L] the item
    that comes after each position; weights: float32 [n, L], 0 where nothing does, and at all but the last TAUGHT."""

    items: IntArray
    marks: IntArray
    gaps: IntArray
    following: IntArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.items)

    def drawn(self, _rng: np.random.Generator, _not_positive: float = NOT_POSITIVE) -> "Windows":
        """These windows, in every pass. They have no next event that is not positive."""
        return self


class WindowedHistories:
    """The newest `limit` events with seq < `before` as windows. Each event follows in exactly one of them, with at least
    L − TAUGHT events before it where there are so many. The first event of a user follows nothing at all."""

    def __init__(self, histories: Histories, before: int, limit: int) -> None:
        past = histories.seqs < before
        oldest = np.sort(histories.seqs[past])[-limit:][:1]
        oldest_seq = int(oldest[0]) if len(oldest) else 0
        windows: list[tuple[int, int, int]] = []
        for start, end in zip(histories.starts[:-1].tolist(), histories.starts[1:].tolist(), strict=True):
            end = start + int(np.searchsorted(histories.seqs[start:end], before))
            for low in range(start, end, TAUGHT):
                high = min(low + TAUGHT, end)
                if histories.seqs[high - 1] >= oldest_seq:
                    windows.append((max(start, low - (LENGTH - TAUGHT)), low, high))
        first, new, end_of = np.array(windows, np.int64).reshape(-1, 3).T
        at = end_of[:, None] + np.arange(-LENGTH - 1, 0)
        self._filled = at >= first[:, None]
        self._at = np.where(self._filled, at, 0)
        self._follows = at >= new[:, None]
        self._histories = histories
        self._pages = _page_numbers(histories, past)
        self._gaps = self._gaps_before()

    def __len__(self) -> int:
        return len(self._at)

    def drawn(self, rng: np.random.Generator, not_positive: float = NOT_POSITIVE) -> Windows:
        """The windows with what one user did in one second in an order that is drawn anew. Pages keep their times.
        not_positive: the weight of a next event that is not positive."""
        order = np.lexsort((rng.random(len(self._pages)), self._pages))
        rows, histories = order[self._at], self._histories
        items = np.where(self._filled, histories.items[rows], NOTHING)
        marks = np.where(self._filled, histories.marks[rows], 0)
        importances = histories.importances[rows]
        weights = np.where(
            self._follows, np.where(importances > 0, importances, np.float32(not_positive)), np.float32(0)
        )
        return Windows(items[:, :-1], marks[:, :-1], self._gaps, items[:, 1:], weights[:, 1:])

    def _gaps_before(self) -> IntArray:
        """[n, L + 1] the gap before each event of a window but its first."""
        times = self._histories.times[self._at]
        gaps = np.zeros(self._at.shape, np.int64)
        between = self._filled[:, 1:] & self._filled[:, :-1]
        if between.any():
            gaps[:, 1:][between] = np.vectorize(gap_of, otypes=[np.int64])(np.diff(times, axis=1)[between])
        return gaps


def _page_numbers(histories: Histories, past: Any) -> IntArray:
    """[n] ascending numbers of the pages: what one user did in one second, either before a row or from it on, so that nothing
    that comes later is put into the past."""
    users = np.repeat(np.arange(len(histories.starts) - 1), np.diff(histories.starts))
    parts = (users, histories.times // SECOND_MS, past)
    return np.cumsum(np.any([np.diff(part, prepend=part[:1]) != 0 for part in parts], axis=0))
