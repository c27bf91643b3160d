"""Cache of the users of one subtask: decoded copies of recently used ones, read through from Flink's state, else from the base.

Only this subtask writes them, so a copy can't be stale. Methods that access state must be called under the key of the users'
lane.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from features.base.reader import Base
from features.fold.journal import Journal, replay_journal
from features.fold.state import UserFeatures, decode_user, encode_features
from features.fold.user import UserState, thaw_user
from streaming.operators.stored_state import STATE_VERSION, StoredLive, decode_live, encode
from streaming.redis_sink.redis_commands import UserWrite

CACHED_ENTRIES = 1_000_000
"""Limit of the cache's weight: one per user, plus one per remembered event and seen item."""

# Plain bytes objects only, in pickle's envelope (thread mode passes primitive arrays element by element).
BYTES = Types.PICKLED_BYTE_ARRAY()


class LiveUser:
    """The decoded copy of a user, and its changes to be written to Redis."""

    __slots__ = ("broker_ts", "journal", "n", "seen", "state", "weight")

    def __init__(self, state: UserState, journal: Journal, n: int = 0, broker_ts: int = 0) -> None:
        state.collect_changes()
        self.state = state
        self.journal = journal
        self.n = n
        self.broker_ts = broker_ts
        self.seen: dict[int, int] = {}
        """Item → the time until which it is hidden now; 0: not any more."""
        self.weight = 0

    def note_changes(self) -> None:
        """Move a fold's changes of dedupe memory and seen set into the journal and the next write to Redis."""
        changes = self.state.drain_changes()
        self.journal.append(changes, self.state.memory.floor)
        for item_id, _, until in changes.seen:
            self.seen[item_id] = until


class UserStates:
    """The cache (see the module)."""

    def __init__(self, context: RuntimeContext, base: Base) -> None:
        self._base = base
        self._heads: Any = context.get_map_state(MapStateDescriptor(f"users-{STATE_VERSION}", Types.LONG(), BYTES))
        self._chunks: Any = context.get_map_state(MapStateDescriptor(f"journal-{STATE_VERSION}", Types.STRING(), BYTES))
        self._cache: OrderedDict[int, LiveUser] = OrderedDict()
        self._weight = 0

    def load_user(self, user_id: int) -> LiveUser:
        user = self._cache.get(user_id)
        if user is not None:
            self._cache.move_to_end(user_id)
            return user
        data = self._heads.get(user_id)
        return self._from_base(user_id) if data is None else self._from_flink(user_id, decode_live(data))

    def _from_flink(self, user_id: int, stored: StoredLive) -> LiveUser:
        chunks = (self._chunks.get(f"{user_id}/{number}") for number in range(stored.first, stored.next))
        pieces = [(int.from_bytes(chunk[:2], "little"), chunk[2:]) for chunk in chunks]
        pieces.append((stored.open_count, stored.open))
        memory, seen = replay_journal(pieces, stored.floor)
        journal = Journal(stored.first, stored.next, stored.total, stored.open_count, stored.open, stored.floor)
        return LiveUser(UserState(decode_user(stored.features), memory, seen), journal, stored.n, stored.broker_ts)

    def _from_base(self, user_id: int) -> LiveUser:
        stored = self._base.stored_user(user_id)
        journal = Journal()
        if stored is None:
            return LiveUser(UserState(UserFeatures(user_id)), journal)
        state = thaw_user(stored)
        journal.compact(state.memory, state.seen)
        return LiveUser(state, journal)

    def store(self, changed: dict[int, LiveUser]) -> dict[int, UserWrite]:
        """Put users into Flink's state; returns the write to Redis for each."""
        heads: dict[int, bytes] = {}
        chunks: dict[str, bytes] = {}
        writes: dict[int, UserWrite] = {}
        for user_id, user in changed.items():
            state, journal = user.state, user.journal
            if journal.is_mostly_history(state.memory, state.seen):
                for number in journal.compact(state.memory, state.seen):
                    self._chunks.remove(f"{user_id}/{number}")
            for number, count, data in journal.closed:
                chunks[f"{user_id}/{number}"] = count.to_bytes(2, "little") + data
            journal.closed.clear()
            value = encode_features(state.features)
            heads[user_id] = encode(
                StoredLive(
                    features=value,
                    floor=state.memory.floor,
                    n=user.n,
                    broker_ts=user.broker_ts,
                    first=journal.first,
                    next=journal.next,
                    total=journal.total,
                    open_count=journal.open_count,
                    open=bytes(journal.open),
                )
            )
            writes[user_id] = UserWrite(user.n, user.broker_ts, value, user.seen)
            user.seen = {}
            self._put_in_cache(user_id, user)
        if chunks:
            self._chunks.put_all(chunks)
        self._heads.put_all(heads)
        return writes

    def whole_writes(self, user_ids: Iterable[int]) -> dict[int, UserWrite]:
        """Returns complete writes of these users, to be repeated after a restart."""
        writes = {}
        for user_id in user_ids:
            user = self.load_user(user_id)
            features, seen = user.state.features, {item_id: until for item_id, _, until in user.state.seen.items()}
            value = encode_features(features)
            writes[user_id] = UserWrite(user.n, user.broker_ts, value, seen, True)
            self._put_in_cache(user_id, user)
        return writes

    def _put_in_cache(self, user_id: int, user: LiveUser) -> None:
        """Cache a user, or update its weight; evicts the least recently used beyond the limit."""
        weight = 1 + len(user.state.memory) + len(user.state.seen)
        if self._cache.setdefault(user_id, user) is not user:
            raise RuntimeError(f"two copies of user {user_id}")
        self._weight += weight - user.weight
        user.weight = weight
        while self._weight > CACHED_ENTRIES and len(self._cache) > 1:
            self._weight -= self._cache.popitem(last=False)[1].weight
