"""The features of a user as `features.fold.state.encode_features` gives them, compiled: what stands between the id, which is text
to the kernel, and the attributes, which are."""

from features.arrays import AnyArray
from features.fold.decay import HALF_LIVES
from features.kernel.msgpack_bytes import MAX_BYTES, put_array_header, put_int, put_ints, put_map_header, put_text
from features.kernel.users.row_types import USER, Names, Row
from features.recall.compiled import compiled

MAX_FEATURE_BYTES = USER.itemsize // 8 * MAX_BYTES
"""Of all features, but for the names of tastes: each number of USER is written once at most, headers in place of the others."""


@compiled
def put_features(data: AnyArray, at: int, user: Row, names: Names) -> int:
    """All fields from the second to the last but one."""
    at = put_int(data, at, user.first_ts)
    at = put_int(data, at, user.last_ts)
    at = put_ints(data, at, user.counts, user.kinds_counted)
    at = put_int(data, at, user.duplicates)
    at = put_int(data, at, user.late)
    at = put_int(data, at, user.rating_sum)
    at = put_int(data, at, user.rating_sq)
    at = put_int(data, at, user.positives)
    at = put_int(data, at, user.negatives)
    at = _put_tastes(data, at, user, names)
    at = _put_sequence(data, at, user)
    at = _put_recent(data, at, user)
    at = put_array_header(data, at, 4)
    at = put_int(data, at, user.session_start)
    at = put_int(data, at, user.session_newest)
    at = put_int(data, at, user.session_events)
    at = put_int(data, at, user.session_clicks)
    at = put_int(data, at, user.gap)
    at = put_ints(data, at, user.activity, len(HALF_LIVES))
    return put_ints(data, at, user.epochs, len(HALF_LIVES))


@compiled
def _put_tastes(data: AnyArray, at: int, user: Row, names: Names) -> int:
    at = put_map_header(data, at, user.taste_count)
    for which in range(user.taste_count):
        taste = user.tastes[which]
        at = put_text(data, at, names.texts, names.starts[taste.name], names.starts[taste.name + 1])
        at = put_array_header(data, at, 1 + 3 * len(HALF_LIVES))
        at = put_int(data, at, taste.ts)
        for weight in range(3 * len(HALF_LIVES)):
            at = put_int(data, at, taste.weights[weight])
    return at


@compiled
def _put_sequence(data: AnyArray, at: int, user: Row) -> int:
    at = put_array_header(data, at, user.sequence_count)
    for which in range(user.sequence_count):
        liked = user.sequence[which]
        at = put_array_header(data, at, 2)
        at = put_int(data, at, liked.item_id)
        at = put_int(data, at, liked.ts)
    return at


@compiled
def _put_recent(data: AnyArray, at: int, user: Row) -> int:
    at = put_array_header(data, at, user.recent_count)
    for which in range(user.recent_count):
        act = user.recent[which]
        at = put_array_header(data, at, 4)
        at = put_int(data, at, act.item_id)
        at = put_int(data, at, act.ts)
        at = put_int(data, at, act.kind)
        at = put_int(data, at, act.centi)
    return at
