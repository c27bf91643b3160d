"""Messages from the user to the item operator: the changes that events make to the items of one lane, as bytes.

Of an item that was shown several times a message says once how often, for each day. An impression that is taken back is an event.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from features.arrays import IntArray
from features.fold.impressions import merge_impressions
from features.kernel.contribution_rows import ITEM_ID, KIND, OF_ITEM, SIGN, SLOT_FIELDS, TS, slots_of_rows
from features.types import IMPRESSION, Impressions, ItemId, Millis
from streaming.lanes import Lanes

_LITTLE: Final = np.dtype("<i8")
_ONE_BYTE: Final = 127


class _Message(msgspec.Struct, array_like=True):
    """
    lane       of the items
    broker_ts  when the broker took the newest record in it, ms
    events     (item id, ts, kind, value in hundredths, sign, weight): 8 bytes each, little-endian; lists of numbers in the
               messages of before, which a checkpoint may hold
    slots      (item id, ts, event's hash, other item, weight): see `features.types.Slot`; likewise
    names      item id → id outside, of those that are strings (`features.ids`) and that an event told
    shown      impressions, those of one item and day together
    """

    lane: int
    broker_ts: int
    events: bytes | list[list[int]] = b""
    slots: bytes | list[list[int]] = b""
    names: dict[int, str] = {}
    shown: list[Impressions] = []


class Delta(NamedTuple):
    """A message: as `_Message`, the events as [E, 6], the slots as [S, 5], the impressions as [I, 4]."""

    lane: int
    broker_ts: Millis
    events: IntArray
    slots: IntArray
    names: dict[ItemId, str]
    shown: IntArray


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Message).decode


def deltas_of(
    lanes: Lanes,
    rows: IntArray,
    names: Mapping[ItemId, str],
    lists: Iterable[tuple[Millis, Sequence[ItemId]]],
    broker_ts: int,
) -> dict[int, bytes]:
    """Encode contributions, added or retracted, and shown lists, (ts, items) each, as one message for each affected lane, by lane
    number. rows: as of `features.kernel.contribution_rows`; names: the ids outside of their items that are strings."""
    messages: dict[int, _Message] = {}

    def lane(number: int) -> _Message:
        message = messages.get(number)
        if message is None:
            message = messages[number] = _Message(number, broker_ts, names={}, shown=[])
        return message

    are_shown = (rows[:, KIND] == IMPRESSION) & (rows[:, SIGN] > 0)
    shown = list(lists)
    if are_shown.any():
        shown += [(row[TS], (row[ITEM_ID],)) for row in rows[are_shown].tolist()]
        rows = rows[~are_shown]
    for number, events in _by_lane(lanes, rows[:, :OF_ITEM]):
        lane(number).events = events
    for number, slots in _by_lane(lanes, slots_of_rows(rows)):
        lane(number).slots = slots
    for item_id, name in names.items():
        lane(lanes.of_item(item_id)).names[item_id] = name
    for impressions in merge_impressions(shown):
        lane(lanes.of_item(impressions[0])).shown.append(impressions)
    return {number: _encode(message) for number, message in messages.items()}


def _by_lane(lanes: Lanes, rows: IntArray) -> Iterable[tuple[int, bytes]]:
    """Rows, whose first column is an item, by the lane of that: in their order, as bytes."""
    if not len(rows):
        return
    numbers = lanes.of_items(rows[:, 0])
    order = np.argsort(numbers, kind="stable")
    data, width = rows[order].astype(_LITTLE, copy=False).tobytes(), rows.shape[1] * _LITTLE.itemsize
    start = 0
    for number, count in enumerate(np.bincount(numbers).tolist()):
        if count:
            yield number, data[start * width : (start + count) * width]
            start += count


def read_delta(data: bytes) -> Delta:
    """Decode a message. Raises msgspec.DecodeError if the bytes are none."""
    message = _decode(data)
    shown: IntArray = np.array(message.shown, np.int64).reshape(-1, 4)
    return Delta(
        message.lane,
        message.broker_ts,
        _rows(message.events, OF_ITEM),
        _rows(message.slots, SLOT_FIELDS),
        message.names,
        shown,
    )


def _rows(value: bytes | list[list[int]], width: int) -> IntArray:
    numbers = np.frombuffer(value, _LITTLE) if isinstance(value, bytes) else value
    return np.array(numbers, np.int64).reshape(-1, width)


def lane_of_delta(data: bytes) -> int:
    """Returns a message's lane without decoding the rest: the first number of the array, in MessagePack a byte up to 127 and two
    bytes above."""
    return data[1] if data[1] <= _ONE_BYTE else data[2]
