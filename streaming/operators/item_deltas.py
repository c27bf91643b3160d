"""Messages from the user to the item operator: the changes that events make to the items of one lane, as bytes.

Of an item that was shown several times a message says once how often, for each day. An impression that is taken back is an event.
"""

from collections.abc import Iterable, Sequence

import msgspec

from features.fold.co_visits import slots_of
from features.fold.impressions import merge_impressions
from features.types import IMPRESSION, Contribution, Impressions, ItemId, Millis
from streaming.lanes import lane_of_item


class Delta(msgspec.Struct, array_like=True):
    """
    lane       of the items
    broker_ts  when the broker took the newest record in it, ms
    events     (item id, ts, kind, value in hundredths, sign, weight)
    slots      (item id, ts, event's hash, other item, weight): see `features.types.Slot`
    names      item id → id outside, of those that are strings (`features.ids`) and that an event told
    shown      impressions, those of one item and day together
    """

    lane: int
    broker_ts: int
    events: list[tuple[int, int, int, int, int, int]]
    slots: list[tuple[int, int, int, int, int]]
    names: dict[int, str] = {}
    shown: list[Impressions] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode


def deltas_of(
    contributions: Iterable[Contribution], lists: Iterable[tuple[Millis, Sequence[ItemId]]], broker_ts: int
) -> dict[int, bytes]:
    """Encode contributions (added or retracted) and shown lists, (ts, items) each, as one message per affected lane, by lane
    number."""
    lanes: dict[int, Delta] = {}

    def lane(item_id: int) -> Delta:
        number = lane_of_item(item_id)
        delta = lanes.get(number)
        if delta is None:
            delta = lanes[number] = Delta(number, broker_ts, [], [], {}, [])
        return delta

    shown = list(lists)
    for contribution in contributions:
        delta = lane(contribution.item_id)
        if contribution.kind == IMPRESSION and contribution.sign > 0:
            shown.append((contribution.ts, (contribution.item_id,)))
        else:
            delta.events.append(contribution[:6])
        if contribution.item:
            delta.names[contribution.item_id] = contribution.item
        if contribution.partners:
            for slot in slots_of(contribution):
                lane(slot[0]).slots.append(slot)
    for impressions in merge_impressions(shown):
        lane(impressions[0]).shown.append(impressions)
    return {number: _encode(delta) for number, delta in lanes.items()}


def read_delta(data: bytes) -> Delta:
    """Decode a message. Raises msgspec.DecodeError if the bytes are no Delta."""
    return _decode(data)


def lane_of_delta(data: bytes) -> int:
    """Returns a message's lane without decoding the rest: the first number of the array."""
    return data[1]
