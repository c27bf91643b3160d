"""What each segment likes more than all do, as arrays in a folder (`features.base.segments`).

An item's share is that of the (user, item) pairs in which somebody liked something: what a user likes again counts once, in each
context. A segment of few pairs says little: its shares are those of all, as if SEEN pairs of all had been seen, and then its own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.segments import SEGMENT_ARRAYS, segments_of, segments_of_context
from features.schema.tables import Schema
from features.types import UserId
from offline.datasets.dataset import Dataset, rows_between
from offline.datasets.event_rows import event_columns, row_weights
from offline.datasets.user_profiles import Profile, read_profiles

SEEN: Final = 100
"""Pairs of all that count beside a segment's own."""
MIN_USERS: Final = 5
"""A segment of fewer users who like something has no items: it would say what one person likes."""
MAX_SEGMENTS: Final = 10_000
"""Segments at most, those of the most users."""
MAX_ITEMS: Final = 300
"""Items of a segment at most, the best."""


class Liked(NamedTuple):
    """Pairs of user and item, each once, by user.

    users   [u] ascending
    starts  [u + 1]: those of users[k] are starts[k] … starts[k + 1] − 1
    items   [p] index into `ids`
    ids     [n] of items, ascending
    """

    users: IntArray
    starts: IntArray
    items: IntArray
    ids: IntArray


def write_segments(dataset: Dataset, rows: int, schema: Schema, out: Path) -> int:
    """Write what the segments like, by the first `rows` rows, into the new folder `out`; of how many segments."""
    members = members_of(read_profiles(dataset, schema), schema)
    rows = rows if members or schema.context else 0
    users, items, _, _, _ = event_columns(dataset, rows, schema)
    positive = row_weights(dataset, rows, schema) > 0
    pairs = liked(users[positive], items[positive])
    found = segments(members, pairs, under_context(dataset, positive, users, items, pairs.ids, schema))
    write_shares(out, found)
    return len(found)


def write_shares(folder: Path, found: Mapping[str, tuple[IntArray, FloatArray]]) -> None:
    """Write what `segments` gives into a new folder."""
    folder.mkdir(parents=True)
    arrays = (
        np.frombuffer(msgspec.json.encode(list(found)), np.uint8),
        np.cumsum([0, *(len(ids) for ids, _ in found.values())]),
        np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in found.values())]),
        np.concatenate([np.zeros(0, np.float32), *(weights for _, weights in found.values())]),
    )
    for (name, kind), array in zip(SEGMENT_ARRAYS.items(), arrays, strict=True):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array, kind))


def members_of(profiles: Mapping[UserId, Profile], schema: Schema) -> dict[str, list[UserId]]:
    """Segment → its users."""
    members: dict[str, list[UserId]] = {}
    for user_id, profile in profiles.items():
        for name in segments_of(profile.attributes, schema.users):
            members.setdefault(name, []).append(user_id)
    return members


def liked(users: IntArray, items: IntArray) -> Liked:
    """The pairs of rows (users, items [n])."""
    ids, numbers = np.unique(items, return_inverse=True)
    order = np.lexsort((numbers, users))
    users, numbers = users[order], numbers[order]
    first = np.r_[True, (np.diff(users) != 0) | (np.diff(numbers) != 0)][: len(users)]
    users, numbers = users[first], numbers[first]
    known, starts = np.unique(users, return_index=True)
    return Liked(known, np.r_[starts, len(users)], numbers, ids)


class Under(NamedTuple):
    """What is liked under one value of the context: users, how many, and items [p] of the pairs, index into `Liked.ids`."""

    users: int
    items: IntArray


def under_context(
    dataset: Dataset, positive: BoolArray, users: IntArray, items: IntArray, ids: IntArray, schema: Schema
) -> dict[str, Under]:
    """Segment of the context → what is liked under it, by the first rows of a data set: positive, users, items [rows]. ids: of
    the items, ascending. Memory is some 50 bytes for each value that a positive row says."""
    if not schema.context:
        return {}
    number_of: dict[str, int] = {}
    nothing = np.zeros(0, np.int64)
    parts, start = [(nothing, nothing)], 0
    for batch in rows_between(dataset, 0, len(positive), columns=("context",)):
        words = batch["context"].dictionary_encode()
        names = [
            segments_of_context(schema.context.read(word), schema.context) for word in words.dictionary.to_pylist()
        ]
        counts = np.array([len(each) for each in names], np.int64)
        numbers = np.array([number_of.setdefault(name, len(number_of)) for each in names for name in each], np.int64)
        rows = np.flatnonzero(positive[start : start + len(batch)])
        own = words.indices.to_numpy()[rows]
        first = np.cumsum(counts) - counts
        at = np.repeat(first[own] - np.cumsum(counts[own]) + counts[own], counts[own]) + np.arange(counts[own].sum())
        parts.append((numbers[at], np.repeat(start + rows, counts[own])))
        start += len(batch)
    numbers, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _by_segment(list(number_of), numbers, users[rows], np.searchsorted(ids, items[rows]))


def _by_segment(names: Sequence[str], numbers: IntArray, users: IntArray, items: IntArray) -> dict[str, Under]:
    """numbers [n] index into names; each (segment, user, item) counts once."""
    order = np.lexsort((items, users, numbers))
    numbers, users, items = numbers[order], users[order], items[order]
    first = np.r_[True, (np.diff(numbers) != 0) | (np.diff(users) != 0) | (np.diff(items) != 0)][: len(numbers)]
    numbers, users, items = numbers[first], users[first], items[first]
    ends = np.searchsorted(numbers, np.arange(len(names) + 1))
    return {
        name: Under(int(np.count_nonzero(np.diff(users[low:high], prepend=-1))), items[low:high])
        for name, low, high in zip(names, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    }


def segments(
    members: Mapping[str, list[UserId]],
    pairs: Liked,
    under: Mapping[str, Under] | None = None,
    limit: int = MAX_SEGMENTS,
) -> dict[str, tuple[IntArray, FloatArray]]:
    """Segment → (ids, weights) of the items that it likes more than all do, best first, equal ones by id; of more than
    `limit` those of the most users, equal ones by name."""
    size = len(pairs.items)
    of_all = np.bincount(pairs.items, minlength=len(pairs.ids))
    known = {name: _indices(pairs.users, users) for name, users in members.items() if len(users) >= MIN_USERS}
    by_context = under or {}
    users_of = {name: len(at) for name, at in known.items()} | {name: each.users for name, each in by_context.items()}
    some = sorted((name for name in users_of if users_of[name] >= MIN_USERS), key=lambda name: (-users_of[name], name))
    found: dict[str, tuple[IntArray, FloatArray]] = {}
    for name in some[:limit]:
        if name in by_context:
            own = by_context[name].items
        else:
            own = np.concatenate([pairs.items[pairs.starts[at] : pairs.starts[at + 1]] for at in known[name]])
        items, counts = np.unique(own, return_counts=True)  # of no other can a segment have more than its share
        more = counts * size - len(own) * of_all[items]  # whole numbers: what is equal is 0
        best = np.argsort(-more, kind="stable")[:MAX_ITEMS]
        best = best[more[best] > 0]
        found[name] = pairs.ids[items[best]], (more[best] / size / (len(own) + SEEN)).astype(np.float32)
    return found


def _indices(known: IntArray, users: list[UserId]) -> IntArray:
    """The indices of those of the users who are among the known ones, ascending."""
    wanted = np.unique(users)
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    return at[known[at] == wanted] if len(known) else at[:0]
