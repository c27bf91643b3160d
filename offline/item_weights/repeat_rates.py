"""How soon the items of a history are taken again, as arrays in a folder (`features.base.repeat_lifts`).

Rates are counted as takings again over the time in which there could have been one, span by span: of all items, of those that
share a facet's value, and of each item alone. One item is taken again too seldom to tell much: what is said of it is the rate of
the value, among its own, by which its history is best told apart from that of all, as if that many takings (PRIOR) had been seen,
and then its own; so is a value's rate that of all and its own (the mean of a Gamma distribution after what was seen of a Poisson
process).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from features.arrays import AnyArray, DoubleArray, FloatArray, IntArray
from features.base.repeat_lifts import REPEAT_ARRAYS, SPANS, span_ends, span_of
from features.schema.tables import Schema
from features.types import FOREVER, Item
from features.units import DAY_MS
from offline.datasets.dataset import Dataset
from offline.datasets.event_rows import event_columns

PRIOR: Final = 1.0
"""Takings that a rate counts as where it stands in for one of which less is known."""


class Waits(NamedTuple):
    """Items that were taken, and what came after each time that one might be shown again. r waits.

    taken  [n] ids of all items that were taken, ascending
    items  [r] ids
    spent  [r] ms until it was taken again, or hidden for good, or the history's end
    again  [r] whether it was taken again
    """

    taken: IntArray
    items: IntArray
    spent: IntArray
    again: AnyArray


def write_repeats(dataset: Dataset, rows: int, schema: Schema, out: Path) -> int:
    """Write the lifts that the first `rows` rows give into the new folder `out`; of how many items. Memory is some 60 bytes a
    row."""
    hides = np.array([0 if kind is None else kind.hide for kind in schema.kinds], np.int64)
    users, items, times, kinds, _ = event_columns(dataset, rows if are_taken(schema) else 0, schema)
    ids, lifts = lifts_of(waits_of(users, items, times, hides[kinds]), dataset.items)
    write_lifts(out, ids, lifts)
    return len(ids)


def are_taken(schema: Schema) -> bool:
    """Whether what is hidden for a time was taken: some events hide for a time, and all that do speak for their item, whatever
    their value. Else a user's state, which has the time alone, can't tell what was taken from what was turned away from."""
    hiding = [kind for kind in schema.kinds if kind is not None and 0 < kind.hide < FOREVER]
    return bool(hiding) and all(weight > 0 for kind in hiding for _, weight in kind.steps)


def write_lifts(folder: Path, ids: IntArray, lifts: FloatArray) -> None:
    """Write the arrays (ids [n] ascending, lifts [n, SPANS]) into a new folder."""
    folder.mkdir(parents=True)
    for (name, kind), array in zip(REPEAT_ARRAYS.items(), (ids, lifts.ravel()), strict=True):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array, kind))


def waits_of(users: IntArray, items: IntArray, times: IntArray, hides: IntArray) -> Waits:
    """The waits in a history (users, items, times in ms [n]). hides: [n] for how long, in ms, each event hides its item from its
    user; FOREVER; 0: not at all."""
    import pandas as pd  # which takes a second

    acts = np.flatnonzero(hides)
    acts = acts[np.lexsort((times[acts], items[acts], users[acts]))]
    users, items, since, hides = users[acts], items[acts], times[acts], hides[acts]
    same = np.r_[(np.diff(users) == 0) & (np.diff(items) == 0), False] if len(acts) else np.zeros(0, bool)
    until = np.where(hides == FOREVER, FOREVER, since + hides)
    until = pd.Series(until).groupby(np.cumsum(np.r_[0, ~same[:-1]][: len(acts)])).cummax().to_numpy(np.int64)
    ends = np.where(same, np.roll(since, -1), times.max(initial=0))
    some = ends > until
    again = same & (np.roll(hides, -1) != FOREVER)
    return Waits(np.unique(items[hides != FOREVER]), items[some], (ends - until)[some], again[some])


def lifts_of(waits: Waits, catalogue: Iterable[Item]) -> tuple[IntArray, FloatArray]:
    """(ids [n] ascending, lifts [n, SPANS]) of the items that were taken; none where nothing was taken again."""
    ids = waits.taken
    again, days = _counted(waits, np.searchsorted(ids, waits.items), len(ids))
    if not again.sum():
        return ids[:0], np.zeros((0, SPANS), np.float32)
    mean = again.sum() / days.sum()
    of_all = _rate(again.sum(axis=0), days.sum(axis=0), np.full(SPANS, mean))
    members, values = _values_of(ids, catalogue)
    sums = [np.zeros((values.max(initial=-1) + 1, SPANS)) for _ in range(2)]
    for total, counts in zip(sums, (again, days), strict=True):
        np.add.at(total, values, counts[members])
    rates = _rate(sums[0], sums[1], of_all)
    evidence = (sums[0] * np.log(rates / of_all) - sums[1] * (rates - of_all)).sum(axis=1)
    prior = np.tile(of_all, (len(ids), 1))
    order = np.argsort(evidence[values], kind="stable")
    order = order[evidence[values[order]] > 0]
    prior[members[order]] = rates[values[order]]  # the last one, which tells most, stays
    return ids, (_rate(again, days, prior) / mean).astype(np.float32)


def _counted(waits: Waits, at: IntArray, count: int) -> tuple[DoubleArray, DoubleArray]:
    """([count, SPANS] takings again, [count, SPANS] days in which there could have been one) of each item; at: [r] its number."""
    again, days = np.zeros((count, SPANS)), np.zeros((count, SPANS))
    np.add.at(again, (at[waits.again], span_of(waits.spent[waits.again])), 1)
    ends = span_ends()
    for span, (low, high) in enumerate(zip(np.r_[0, ends], np.r_[ends, np.iinfo(np.int64).max], strict=True)):
        reached = np.clip(waits.spent, low, high) - low
        days[:, span] = np.bincount(at, reached / DAY_MS, count)
    return again, days


def _rate(again: DoubleArray, days: DoubleArray, prior: DoubleArray) -> DoubleArray:
    """Takings again a day, where PRIOR of them were seen at the rate `prior` before."""
    rate: DoubleArray = (again + PRIOR) / (days + PRIOR / prior)
    return rate


def _values_of(ids: IntArray, catalogue: Iterable[Item]) -> tuple[IntArray, IntArray]:
    """(index into ids [m], number of a facet's value [m]): each value of each of these items that the catalogue has."""
    index = {item_id: at for at, item_id in enumerate(ids.tolist())}
    numbers: dict[tuple[str, str], int] = {}
    pairs = [
        (index[item.item_id], numbers.setdefault((name, value), len(numbers)))
        for item in catalogue
        if item.item_id in index
        for name, values in item.facets.items()
        for value in values
    ]
    members, values = np.array(pairs, np.int64).reshape(-1, 2).T
    return members, values
