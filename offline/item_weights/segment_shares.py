"""What each segment of users likes more than all do, as arrays in a folder (`features.base.segments`).

An item's share is that of the (user, item) pairs in which somebody liked something: what a user likes again counts once. A
segment of few pairs says little: its shares are those of all, as if SEEN pairs of all had been seen, and then its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.segments import SEGMENT_ARRAYS, segments_of
from features.schema.tables import Schema
from features.types import UserId
from offline.datasets.dataset import Dataset
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
    users, items, _, _, _ = event_columns(dataset, rows if members else 0, schema)
    positive = row_weights(dataset, rows if members else 0, schema) > 0
    found = segments(members, liked(users[positive], items[positive]))
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


def segments(
    members: Mapping[str, list[UserId]], pairs: Liked, limit: int = MAX_SEGMENTS
) -> dict[str, tuple[IntArray, FloatArray]]:
    """Segment → (ids, weights) of the items that it likes more than all do, best first, equal ones by id; of more than
    `limit` those of the most users, equal ones by name."""
    size = len(pairs.items)
    of_all = np.bincount(pairs.items, minlength=len(pairs.ids))
    known = {name: _indices(pairs.users, users) for name, users in members.items() if len(users) >= MIN_USERS}
    some = sorted((name for name in known if len(known[name]) >= MIN_USERS), key=lambda name: (-len(known[name]), name))
    found: dict[str, tuple[IntArray, FloatArray]] = {}
    for name in some[:limit]:
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
