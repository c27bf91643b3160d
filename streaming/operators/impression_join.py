"""Attribution join: shown lists (`served`) joined with events by request_id, within the attribution window of broker time,
half an hour unless the home says otherwise.

Either side may come first, since the two topics are read in parallel. A list is closed by its lane's time, the newest broker
time read of the topic that is behind, so reading an old log again closes no list early, however long it stands still. A topic
that has been read to its end is not behind the other one, nor behind wall time by more than `SILENCE_MS`.

Of a list the job holds a reference alone, some 45 bytes: whose it is, and where it and its record lie. References are packed by
the minute in which they are closed, in chunks, so that what bounds them is time, and a checkpoint carries few bytes. Actions are
held by user, and meet their lists when these are closed.
"""

from collections.abc import Iterator
from math import inf
from typing import Final, NamedTuple

import msgspec

from features.contracts.samples import MAX_ACTIONS, Action, period_of
from features.types import Millis, UserId
from features.units import MINUTE_MS
from streaming.operators.byte_states import ByteStates
from streaming.operators.list_references import OpenList, chunk_of, open_chunk, pack_reference, unpack_chunk

SILENCE_MS: Final = MINUTE_MS
"""The broker's clock may differ from the job's by this much."""
OPEN_LISTS: Final = 1 << 17
"""Lists that a lane holds open at most, some 6 MB; beyond them the oldest are closed early, which is counted. All lanes together
have room for half an hour of 580 lists a second."""
ACTED_LISTS, USERS_ACTIONS = 100, 1000
"""Lists of one user that hold actions at once, and all those actions; beyond them the oldest lists' are dropped, which is
counted. Each batch stores all those of each of its users anew."""
HELD_USERS: Final = 64
"""Users whose actions a lane holds decoded at once, some 200 kB each at most; beyond them they are stored before the batch
ends."""
CHUNK: Final = 64
"""References of one entry of state: each new one stores its chunk anew, so the chunks are small."""
CLOSED_AT_ONCE: Final = 256
"""Lists closed by one batch of records or one timer, about, so that those of a whole minute hold no event up. A chunk counts as a
few lists at least, which is what it costs."""
CHUNK_COST: Final = 4
_CHUNK_BITS: Final = 20
_SECOND_MS: Final = 1000


class ClosedList(NamedTuple):
    """A closed list with the actions on it, and when it was closed, ms."""

    reference: OpenList
    actions: list[Action]
    closed_ts: Millis


class _Acted(msgspec.Struct, array_like=True):
    """The actions on one list, and the time in seconds after which no list takes them."""

    until: int
    actions: list[Action]


_encode = msgspec.msgpack.Encoder().encode
_decode_acted = msgspec.msgpack.Decoder(dict[str, _Acted]).decode
_decode_forgotten = msgspec.msgpack.Decoder(tuple[int, int]).decode


class _Period:
    """The lists that are closed together: chunks `first` to before `next` are full and in Flink's state alone, the chunk
    `next` is the open one."""

    def __init__(self) -> None:
        self.first = 0
        self.next = 0
        self.count = 0
        self.packed = bytearray()


class LaneLists:
    """What a lane knows of its open lists beside Flink's state, and what it has counted since it was last stored.

    periods    of the lists by the time at which they are closed, in seconds, as all times here
    acting     users with actions → the time after which some of these may be dropped
    forgotten  users → (the home's time, ms, up to which their lists are dropped, the time at which the last of those is closed)
    oldest     the first of these times: before it nothing is to be dropped
    changed    periods whose open chunk is to be stored
    early      lists closed before their time, for want of room
    unmatched  actions that met no open list
    held       users → their actions by list, as read since they were last stored; `changed_acts` are those to be stored
    """

    def __init__(self) -> None:
        self.count = 0
        self.periods: dict[int, _Period] = {}
        self.acting: dict[UserId, int] = {}
        self.forgotten: dict[UserId, tuple[int, int]] = {}
        self.oldest = inf
        self.changed: set[int] = set()
        self.early = 0
        self.unmatched = 0
        self.held: dict[UserId, dict[str, _Acted]] = {}
        self.changed_acts: set[UserId] = set()

    def note_oldest(self) -> None:
        """Find `oldest` anew."""
        times = (*self.acting.values(), *(until for _, until in self.forgotten.values()))
        self.oldest = min(times, default=inf)


class OpenLists:
    """Open lists of all lanes of a subtask. Every method must be called under its lane's key; `store` ends a batch."""

    def __init__(self, states: ByteStates, window_ms: Millis) -> None:
        self._window_ms = window_ms
        self._period_s = period_of(window_ms // _SECOND_MS)
        self._open = states.map_by_id("open-lists")
        self._acted = states.map_by_id("acted")
        self._forgotten = states.map_by_id("forgotten")

    def lane(self) -> LaneLists:
        """Load the open lists of the current lane from Flink's state."""
        lane = LaneLists()
        for key, chunk in self._open.items():
            at, number = key >> _CHUNK_BITS, key & ((1 << _CHUNK_BITS) - 1)
            count, packed = open_chunk(chunk)
            period = lane.periods.get(at)
            if period is None:
                period = lane.periods[at] = _Period()
                period.first = number
            period.first = min(period.first, number)
            lane.count += count
            if count < CHUNK:
                period.count, period.packed = count, bytearray(packed)
                period.next = max(period.next, number)
            else:
                period.next = max(period.next, number + 1)
        for user_id, acted in self._acted.items():
            lane.acting[user_id] = min(each.until for each in _decode_acted(acted).values())
        for user_id, forgotten in self._forgotten.items():
            lane.forgotten[user_id] = _decode_forgotten(forgotten)
        lane.note_oldest()
        return lane

    def show(self, lane: LaneLists, reference: OpenList, broker_ts: Millis) -> None:
        """Add a shown list, which came at that broker time."""
        at = self._closing(broker_ts)
        period = lane.periods.setdefault(at, _Period())
        period.packed += pack_reference(reference)
        period.count += 1
        lane.count += 1
        if period.count == CHUNK:
            self._open.put(_key(at, period.next), chunk_of(CHUNK, period.packed))
            period.next, period.count, period.packed = period.next + 1, 0, bytearray()
            lane.changed.discard(at)
        else:
            lane.changed.add(at)

    def act(self, lane: LaneLists, user_id: UserId, request_id: str, action: Action, broker_ts: Millis) -> None:
        """Add an action on a list, which may not have arrived yet."""
        acted = self._acts(lane, user_id)
        until = self._last_closing(lane, broker_ts)
        of_list = acted.setdefault(request_id, _Acted(until, []))
        if len(of_list.actions) < MAX_ACTIONS:
            of_list.actions.append(action)
        else:
            lane.unmatched += 1
        while len(acted) > 1 and (len(acted) > ACTED_LISTS or _count(acted) > USERS_ACTIONS):
            lane.unmatched += len(acted.pop(next(iter(acted))).actions)
        self._change_acts(lane, user_id)

    def take_back(self, lane: LaneLists, user_id: UserId, event_id: str) -> None:
        """Remove an undone event from the actions of a user."""
        if user_id not in lane.acting:
            return
        acted = self._acts(lane, user_id)
        for of_list in acted.values():
            of_list.actions = [action for action in of_list.actions if action.event_id != event_id]
        self._change_acts(lane, user_id)

    def forget(self, lane: LaneLists, user_id: UserId, floor: Millis, broker_ts: Millis) -> None:
        """Drop the open lists of a user that were made up to `floor`, by the home's clock, and all actions so far."""
        lane.forgotten[user_id] = (floor, self._last_closing(lane, broker_ts))
        lane.oldest = min(lane.oldest, lane.forgotten[user_id][1])
        self._forgotten.put(user_id, _encode(lane.forgotten[user_id]))
        if user_id in lane.acting:
            self._acts(lane, user_id).clear()
            self._change_acts(lane, user_id)

    def close(self, lane: LaneLists, until: Millis) -> Iterator[ClosedList]:
        """Close lists whose window is over, a limited number of them at once: `due` says whether more are. `until` is the
        lane's time.

        Times at which lists were closed never go back in a lane: who learns of them goes by that. So those closed early have a
        time of the log, too, before which all of them were shown: no later one is closed before it."""
        left = CLOSED_AT_ONCE
        while (left > 0 or self._is_full(lane)) and (at := self._next(lane, until)) is not None:
            period, early = lane.periods[at], at * _SECOND_MS > until
            is_last = period.first == period.next
            key = _key(at, period.first)
            data = chunk_of(period.count, period.packed) if is_last else self._open.get(key)
            self._open.remove(key)
            period.first += 1
            if is_last:
                del lane.periods[at]
                lane.changed.discard(at)
            references = unpack_chunk(data)
            lane.count -= len(references)
            lane.early += len(references) if early else 0
            for reference in references:
                if not self._is_forgotten(lane, reference):
                    actions = self._take_acts(lane, reference)
                    closed_ts = max(until, at * _SECOND_MS - self._window_ms) if early else at * _SECOND_MS
                    yield ClosedList(reference, actions, closed_ts)
            left -= max(len(references), CHUNK_COST)
        if left > 0:
            self._drop_old(lane, until // _SECOND_MS)

    def due(self, lane: LaneLists, until: Millis) -> bool:
        """Whether lists of a lane wait to be closed, or actions to be dropped, when its time is `until`."""
        return self._next(lane, until) is not None or until // _SECOND_MS > lane.oldest

    def store(self, lane: LaneLists) -> None:
        """Store what has changed of the open chunks and of users' actions."""
        for at in lane.changed:
            period = lane.periods[at]
            self._open.put(_key(at, period.next), chunk_of(period.count, period.packed))
        lane.changed.clear()
        self._store_acts(lane)

    def _closing(self, broker_ts: Millis) -> int:
        """When a list that came at this broker time (ms) is closed, in seconds: at the end of a period."""
        return -(-(broker_ts + self._window_ms) // (_SECOND_MS * self._period_s)) * self._period_s

    def _last_closing(self, lane: LaneLists, broker_ts: Millis) -> int:
        """The time until which a list that was shown before `broker_ts` may be open; some may have been opened while lists waited
        for longer."""
        return max(self._closing(broker_ts), max(lane.periods, default=0)) + self._period_s

    def _is_full(self, lane: LaneLists) -> bool:
        return lane.count > OPEN_LISTS

    def _next(self, lane: LaneLists, until: Millis) -> int | None:
        at = min(lane.periods, default=None)
        return at if at is not None and (at * _SECOND_MS <= until or self._is_full(lane)) else None

    def _is_forgotten(self, lane: LaneLists, reference: OpenList) -> bool:
        forgotten = lane.forgotten.get(reference.user_id)
        return forgotten is not None and reference.ts <= forgotten[0]

    def _acts(self, lane: LaneLists, user_id: UserId) -> dict[str, _Acted]:
        """The actions of a user by list; `_change_acts` says that they were changed."""
        acted = lane.held.get(user_id)
        if acted is None:
            if len(lane.held) >= HELD_USERS:
                self._store_acts(lane)
            data = self._acted.get(user_id)
            acted = lane.held[user_id] = {} if data is None else _decode_acted(data)
        return acted

    def _take_acts(self, lane: LaneLists, reference: OpenList) -> list[Action]:
        if reference.user_id not in lane.acting:
            return []
        acted = self._acts(lane, reference.user_id)
        of_list = acted.pop(reference.request_id, None)
        if of_list is None:
            return []
        self._change_acts(lane, reference.user_id)
        return of_list.actions

    def _change_acts(self, lane: LaneLists, user_id: UserId) -> None:
        acted = lane.held[user_id]
        lane.changed_acts.add(user_id)
        if acted:
            lane.acting[user_id] = min(each.until for each in acted.values())
            lane.oldest = min(lane.oldest, lane.acting[user_id])
        else:
            lane.acting.pop(user_id, None)

    def _store_acts(self, lane: LaneLists) -> None:
        """Store the actions of the users held whose actions have changed, and hold none any more."""
        for user_id in lane.changed_acts:
            if acted := lane.held[user_id]:
                self._acted.put(user_id, _encode(acted))
            else:
                self._acted.remove(user_id)
        lane.changed_acts.clear()
        lane.held.clear()

    def _drop_old(self, lane: LaneLists, now: int) -> None:
        """Drop the actions that no list can take any more, and forgotten users of whom none is open."""
        if now <= lane.oldest:
            return
        for user_id in [user_id for user_id, until in lane.acting.items() if until < now]:
            acted = self._acts(lane, user_id)
            for request_id in [each for each, of_list in acted.items() if of_list.until < now]:
                lane.unmatched += len(acted.pop(request_id).actions)
            self._change_acts(lane, user_id)
        for user_id in [user_id for user_id, (_, until) in lane.forgotten.items() if until < now]:
            del lane.forgotten[user_id]
            self._forgotten.remove(user_id)
        lane.note_oldest()


def _count(acted: dict[str, _Acted]) -> int:
    return sum(len(of_list.actions) for of_list in acted.values())


def _key(at: int, chunk: int) -> int:
    return at << _CHUNK_BITS | chunk
