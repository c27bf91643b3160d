"""Attribution join: shown lists (`served`) joined with events by request_id, within half an hour of broker time.

Either side may come first, since the two topics are read in parallel. A list is closed by its lane's time, the newest broker
time of the lane's records, so reading an old log again closes no list early. Where a lane is silent, wall time closes it.
"""

import heapq
from collections.abc import Iterator
from typing import Any

import msgspec
from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from features.contracts.samples import MAX_ACTIONS, Action, write_sample
from features.types import Millis
from features.units import MINUTE_MS
from streaming.operators.stored_state import STATE_VERSION
from streaming.operators.user_cache import BYTES

SILENCE_MS = MINUTE_MS
OPEN_LISTS = 256
"""Maximum number of open lists per lane; beyond it the oldest is closed early. A list with its features takes some 17 kB, so all
lanes together hold 35 MB, which with state in memory every checkpoint writes."""

_encode = msgspec.msgpack.Encoder().encode
_decode_actions = msgspec.msgpack.Decoder(list[Action]).decode


class LaneLists:
    """Closing times and users of a lane's open lists, decoded from Flink's state."""

    def __init__(self, closing: dict[str, int]) -> None:
        self.closing = closing
        self.heap = [(at, key) for key, at in closing.items()]
        heapq.heapify(self.heap)
        self.by_user: dict[int, set[str]] = {}
        for key in closing:
            self.by_user.setdefault(_user_of(key), set()).add(key)


def _user_of(key: str) -> int:
    return int(key.partition("/")[0])


class OpenLists:
    """Open lists of all lanes of a subtask. Every method must be called under its lane's key."""

    def __init__(self, context: RuntimeContext, window_ms: Millis) -> None:
        self._window_ms = window_ms

        def state(name: str, value: Any) -> Any:
            return context.get_map_state(MapStateDescriptor(f"{name}-{STATE_VERSION}", Types.STRING(), value))

        self._closing = state("closing", Types.LONG())
        self._shown = state("shown", BYTES)
        self._acted = state("acted", BYTES)

    def lane(self) -> LaneLists:
        """Load the open lists of the current lane from Flink's state."""
        return LaneLists(dict(self._closing.items()))

    def show(self, lane: LaneLists, user_id: int, request_id: str, value: bytes, broker_ts: Millis) -> None:
        """Add a shown list; `value` is its record."""
        self._shown.put(self._open(lane, user_id, request_id, broker_ts), value)

    def act(self, lane: LaneLists, user_id: int, request_id: str, action: Action, broker_ts: Millis) -> None:
        """Add an action on a list, which may not have arrived yet."""
        key = self._open(lane, user_id, request_id, broker_ts)
        actions = self._actions(key)
        if len(actions) < MAX_ACTIONS:
            self._acted.put(key, _encode([*actions, action]))

    def take_back(self, lane: LaneLists, user_id: int, event_id: str) -> None:
        """Remove an undone event from the user's open lists."""
        for key in lane.by_user.get(user_id, ()):
            actions = self._actions(key)
            remaining = [action for action in actions if action.event_id != event_id]
            if len(remaining) < len(actions):
                self._acted.put(key, _encode(remaining))

    def forget(self, lane: LaneLists, user_id: int) -> None:
        """Drop the open lists of a forgotten user."""
        for key in list(lane.by_user.get(user_id, ())):
            self._drop(lane, key)

    def close(self, lane: LaneLists, lane_ts: Millis, now: Millis, silent: bool) -> Iterator[tuple[str, bytes]]:
        """Close the lists whose window is over; yields (the user's id outside, sample). `lane_ts` is the lane's newest broker
        time, `now` wall time."""
        until = max(lane_ts, now - SILENCE_MS) if silent else lane_ts
        while lane.heap and (lane.heap[0][0] <= until or len(lane.closing) > OPEN_LISTS):
            at, key = heapq.heappop(lane.heap)
            if lane.closing.get(key) != at:
                continue
            shown = self._shown.get(key)
            if shown is not None:
                yield write_sample(shown, self._actions(key), at)
            self._drop(lane, key)

    def _open(self, lane: LaneLists, user_id: int, request_id: str, broker_ts: Millis) -> str:
        key = f"{user_id}/{request_id}"
        if key not in lane.closing:
            at = broker_ts + self._window_ms
            lane.closing[key] = at
            heapq.heappush(lane.heap, (at, key))
            lane.by_user.setdefault(user_id, set()).add(key)
            self._closing.put(key, at)
        return key

    def _actions(self, key: str) -> list[Action]:
        data = self._acted.get(key)
        return [] if data is None else _decode_actions(data)

    def _drop(self, lane: LaneLists, key: str) -> None:
        user_id = _user_of(key)
        del lane.closing[key]
        keys = lane.by_user[user_id]
        keys.discard(key)
        if not keys:
            del lane.by_user[user_id]
        for state in (self._closing, self._shown, self._acted):
            state.remove(key)
