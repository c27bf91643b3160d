"""The operator of items: deltas of events, in any order → features and neighbours of items in Redis.

A delta is folded at once into decoded copies, and stored as it is in Flink's state (one cheap step); copies are encoded, stored
and sent together: at once when the stream is calm, at longer intervals the longer that takes, 0.8 s at most (3 s while the
stream is behind by that much). After a crash the stored deltas are folded again.

A list changes all its items, each only slightly, and no list is made of impressions. So an item that was only shown is written to
Redis every IMPRESSIONS seconds; until then its key is with those that Redis has not acknowledged.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor

from features.base.reader import Base
from features.fold.co_visits import Pairs, encode_neighbours
from features.fold.item import fold_impressions, fold_item
from features.fold.state import ItemFeatures, decode_item, encode_features
from features.keys import item_key, item_of, item_of_pairs, pairs_key
from features.types import IMPRESSION, Contribution
from streaming.lanes import LABELS
from streaming.operators.item_deltas import lane_of_delta, read_delta
from streaming.operators.stored_state import (
    STATE_VERSION,
    StoredState,
    decode_keys,
    decode_state,
    encode,
    require_state,
)
from streaming.operators.timers import is_tick, set_tick, set_timer, subtask_of, tune_interpreter
from streaming.operators.user_cache import BYTES
from streaming.redis_sink.redis_commands import StateWrite, Write
from streaming.redis_sink.redis_connection import Connection
from streaming.redis_sink.redis_writer import Connect, FeatureWriter
from streaming.settings import JobSettings
from streaming.time_source import SYSTEM_TIME, TimeSource

CACHED_ITEMS = 20_000
CACHED_PAIRS = 5_000
"""Limits of decoded copies, of at most 5 kB per item and 25 kB per set of pairs."""
SHORTEST, LONGEST, SHARE = 0.1, 0.8, 10.0
"""Seconds between a lane's flushes: SHARE times the duration of the last one times the number of lanes here, between SHORTEST and
LONGEST, so that flushes take a tenth of the time."""
IMPRESSIONS = 5.0
BEHIND = 3.0
"""While the stream is behind, the upper bound rises to the records' delay, up to this many seconds: they are stale already, and a
hot item is written once in seconds then."""

S = TypeVar("S")


class _Live(Generic[S]):
    """A decoded copy, and the broker time of the newest record in it (ms)."""

    __slots__ = ("broker_ts", "state")

    def __init__(self, state: S, broker_ts: int) -> None:
        self.state = state
        self.broker_ts = broker_ts


class _Copies(Generic[S]):
    """Cache of decoded items' features or pairs, read through from Flink's state, else from the base."""

    def __init__(
        self,
        flink: Any,
        limit: int,
        base: Callable[[int], S],
        decode: Callable[[int, bytes], S],
        encode_state: Callable[[S], bytes],
    ) -> None:
        self._flink = flink
        self._limit = limit
        self._base = base
        self._decode = decode
        self._encode = encode_state
        self._cache: OrderedDict[int, _Live[S]] = OrderedDict()

    def load(self, item_id: int) -> _Live[S]:
        live = self._cache.get(item_id)
        if live is not None:
            self._cache.move_to_end(item_id)
            return live
        data = self._flink.get(item_id)
        if data is None:
            return _Live(self._base(item_id), 0)
        stored = decode_state(data)
        return _Live(self._decode(item_id, stored.value), stored.broker_ts)

    def store(self, changed: dict[int, _Live[S]]) -> dict[int, bytes]:
        """Put copies into Flink's state; returns their encodings."""
        encoded = {item_id: self._encode(live.state) for item_id, live in changed.items()}
        if changed:
            self._flink.put_all(
                {item_id: encode(StoredState(encoded[item_id], live.broker_ts)) for item_id, live in changed.items()}
            )
        self._cache.update(changed)
        while len(self._cache) > self._limit:
            self._cache.popitem(last=False)
        return encoded


class _Lane:
    def __init__(self) -> None:
        self.items: dict[int, _Live[ItemFeatures]] = {}
        self.pairs: dict[int, _Live[Pairs]] = {}
        self.acted: set[int] = set()
        """Those of `items` with more than impressions since the last flush."""
        self.held: set[int] = set()
        """Items whose newest impressions are in Flink's state alone."""
        self.unsent: set[str] = set()
        self.flush_due = 0.0
        self.impressions_due = 0.0
        self.broker_ts = 0
        self.timer_for = 0.0

    @property
    def due(self) -> float:
        return self.flush_due if self.acted or self.pairs else self.impressions_due


class ItemFold(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """The item operator (see the module). One element is a `Delta` of one lane of items."""

    def __init__(
        self, settings: JobSettings, *, connect: Connect = Connection, time_source: TimeSource = SYSTEM_TIME
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._time = time_source

    def open(self, context: RuntimeContext) -> None:
        require_state(self._settings.state_version)
        tune_interpreter()
        base = Base(Path(self._settings.base))
        self._schema = base.schema

        def states(name: str) -> Any:
            return context.get_map_state(MapStateDescriptor(f"{name}-{STATE_VERSION}", Types.LONG(), BYTES))

        self._items: _Copies[ItemFeatures] = _Copies(
            states("items"),
            CACHED_ITEMS,
            lambda item_id: base.item_features(item_id) or ItemFeatures(item_id),
            lambda _, data: decode_item(data),
            encode_features,
        )
        self._pairs: _Copies[Pairs] = _Copies(states("pairs"), CACHED_PAIRS, base.pairs, Pairs.decode, Pairs.encode)
        self._deltas = context.get_list_state(ListStateDescriptor(f"deltas-{STATE_VERSION}", BYTES))
        self._unsent = context.get_state(ValueStateDescriptor(f"unsent-{STATE_VERSION}", BYTES))
        settings, subtask = self._settings, subtask_of(context)
        self._writer = FeatureWriter(
            settings.redis_host,
            settings.redis_port,
            settings.generation,
            "items",
            subtask,
            connect=self._connect,
            time_source=self._time,
        )
        self._lanes: dict[int, _Lane] = {}

    def close(self) -> None:
        self._writer.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # The lane is in the message: getting the key from Flink would be a crossing.
        lane = self._lanes.get(LABELS[lane_of_delta(value)]) or self._lane(ctx)
        self._fold(lane, value)
        now = self._time.monotonic()
        if now >= lane.due:
            self._flush(lane)
            return iter(())
        self._deltas.add(value)
        if lane.timer_for != lane.due:
            lane.timer_for = lane.due
            set_timer(ctx, self._time.wall_ms() + 1 + int((lane.due - now) * 1000))
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        lane = self._lane(ctx)
        if (lane.items or lane.pairs or lane.held) and self._time.monotonic() >= lane.due:
            self._flush(lane)
        if is_tick(timestamp):
            self._writer.tick()
            set_tick(ctx, self._time.wall_ms())
        return iter(())

    def _lane(self, ctx: Any) -> _Lane:
        """Returns the current lane; on first use since the start, repeats the writes that may not have reached Redis."""
        label: int = ctx.get_current_key()
        lane = self._lanes.get(label)
        if lane is None:
            lane = self._lanes[label] = _Lane()
            for data in self._deltas.get():
                self._fold(lane, data)
            unsent = self._unsent.value()
            for key in [] if unsent is None else decode_keys(unsent):
                if (item_id := item_of(key)) is not None:
                    lane.items.setdefault(item_id, self._items.load(item_id))
                    lane.acted.add(item_id)
                elif (item_id := item_of_pairs(key)) is not None:
                    lane.pairs.setdefault(item_id, self._pairs.load(item_id))
            self._flush(lane)
            set_tick(ctx, self._time.wall_ms())
        return lane

    def _fold(self, lane: _Lane, value: bytes) -> None:
        delta = read_delta(value)
        lane.broker_ts = delta.broker_ts
        for item_id, ts, kind, centi, sign, weight in delta.events:
            item = self._touched(lane, item_id, delta.broker_ts)
            if kind != IMPRESSION:
                lane.acted.add(item_id)
            fold_item(item.state, Contribution(item_id, ts, kind, centi, sign, weight), self._schema)
        for impressions in delta.shown:
            fold_impressions(self._touched(lane, impressions[0], delta.broker_ts).state, impressions)
        for item_id, name in delta.names.items():
            lane.items[item_id].state.item_id = name
        for item_id, ts, key, other, weight in delta.slots:
            pairs = lane.pairs.get(item_id)
            if pairs is None:
                pairs = lane.pairs[item_id] = self._pairs.load(item_id)
            pairs.broker_ts = max(pairs.broker_ts, delta.broker_ts)
            pairs.state.fold(ts, key, other, weight)

    def _touched(self, lane: _Lane, item_id: int, broker_ts: int) -> _Live[ItemFeatures]:
        """Returns the copy of an item that a record of that broker time changes. An item's first contribution is as urgent as an
        act: from then on it has features."""
        item = lane.items.get(item_id)
        if item is None:
            item = lane.items[item_id] = self._items.load(item_id)
            if not item.state.n:
                lane.acted.add(item_id)
        if broker_ts > item.broker_ts:
            item.broker_ts = broker_ts
        return item

    def _flush(self, lane: _Lane) -> None:
        began = self._time.monotonic()
        writes: dict[str, Write] = {}
        encoded = self._items.store(lane.items)
        lane.held |= encoded.keys()
        for item_id in lane.acted:
            item = lane.items[item_id]
            writes[item_key(item_id)] = StateWrite(item.state.n, item.broker_ts, encoded[item_id])
        lane.held -= lane.acted
        if all_due := began >= lane.impressions_due:
            for item_id in lane.held:
                state = self._items.load(item_id).state  # written late on purpose: how late is not measured
                writes[item_key(item_id)] = StateWrite(state.n, 0, encoded.get(item_id) or encode_features(state))
            lane.held.clear()
        self._pairs.store(lane.pairs)
        for item_id, pairs in lane.pairs.items():
            neighbours = encode_neighbours(pairs.state.neighbours())
            writes[pairs_key(item_id)] = StateWrite(pairs.state.n, pairs.broker_ts, neighbours)
        lane.items, lane.pairs, lane.acted = {}, {}, set()
        self._deltas.clear()
        sent = self._writer.unsent(lane.unsent) | writes.keys()
        lane.unsent = sent | {item_key(item_id) for item_id in lane.held}
        self._unsent.update(encode(list(lane.unsent)))
        self._writer.put(writes)
        now = self._time.monotonic()
        behind = (self._time.wall_ms() - lane.broker_ts) / 1000 if lane.broker_ts else 0.0
        lane.flush_due = now + pause((now - began) * len(self._lanes), behind)
        if all_due:
            lane.impressions_due = now + IMPRESSIONS


def pause(took: float, behind: float) -> float:
    """Returns the seconds until the next flush. took: duration of a flush times the number of lanes; behind: age of what was
    flushed since its broker time, seconds."""
    longest = max(LONGEST, min(BEHIND, behind))
    return min(longest, max(SHORTEST, SHARE * took))
