"""Shown lists waiting for what is done about them: `served` joined with events by request_id, for half an hour of broker time.

Either may come first, since the two topics are read side by side. A list is closed by the lane's own time, the newest that
the broker gave a record of it: reading an old log again closes no list early. Where a lane is silent, wall time closes.
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
"""A lane keeps at most so many open; the oldest is closed early. A list with its features takes some 17 kB, so all lanes hold
35 MB, which in memory every checkpoint writes."""

_encode = msgspec.msgpack.Encoder().encode
_decode_actions = msgspec.msgpack.Decoder(list[Action]).decode


class LaneLists:
    """When each open list of a lane closes, and whose it is: what Flink's state says, decoded."""

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
    """The state of all lanes of a subtask. Every call is made under its lane's key."""

    def __init__(self, context: RuntimeContext, window_ms: Millis) -> None:
        self._window_ms = window_ms

        def state(name: str, value: Any) -> Any:
            return context.get_map_state(MapStateDescriptor(f"{name}-{STATE_VERSION}", Types.STRING(), value))

        self._closing = state("closing", Types.LONG())
        self._shown = state("shown", BYTES)
        self._acted = state("acted", BYTES)

    def lane(self) -> LaneLists:
        """The open lists of the current lane, from Flink's state."""
        return LaneLists(dict(self._closing.items()))

    def show(self, lane: LaneLists, user_id: int, request_id: str, value: bytes, broker_ts: Millis) -> None:
        """A list was shown; `value` is its record."""
        self._shown.put(self._open(lane, user_id, request_id, broker_ts), value)

    def act(self, lane: LaneLists, user_id: int, request_id: str, action: Action, broker_ts: Millis) -> None:
        """An event answers a list, which may not have come yet."""
        key = self._open(lane, user_id, request_id, broker_ts)
        actions = self._actions(key)
        if len(actions) < MAX_ACTIONS:
            self._acted.put(key, _encode([*actions, action]))

    def take_back(self, lane: LaneLists, user_id: int, event_id: str) -> None:
        """An event was undone: no open list keeps it."""
        for key in lane.by_user.get(user_id, ()):
            actions = self._actions(key)
            kept = [action for action in actions if action.event_id != event_id]
            if len(kept) < len(actions):
                self._acted.put(key, _encode(kept))

    def forget(self, lane: LaneLists, user_id: int) -> None:
        """Drop what was shown to a user who is forgotten."""
        for key in list(lane.by_user.get(user_id, ())):
            self._drop(lane, key)

    def close(self, lane: LaneLists, lane_ts: Millis, now: Millis, silent: bool) -> Iterator[tuple[int, bytes]]:
        """(user, sample) of the lists whose time is over. `lane_ts` is the lane's newest broker time, `now` wall time."""
        until = max(lane_ts, now - SILENCE_MS) if silent else lane_ts
        while lane.heap and (lane.heap[0][0] <= until or len(lane.closing) > OPEN_LISTS):
            at, key = heapq.heappop(lane.heap)
            if lane.closing.get(key) != at:
                continue
            shown = self._shown.get(key)
            if shown is not None:
                yield _user_of(key), write_sample(shown, self._actions(key), at)
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
