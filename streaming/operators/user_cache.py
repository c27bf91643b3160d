"""Cache of the users of one subtask: those used last as rows of the kernel, read through from Flink's state, else from the base.

Only this subtask writes them, so a copy can't be stale. Methods that access state must be called under the key of the users'
lane.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from features.base.reader import Base
from features.fold.journal import Journal, Records
from features.fold.state import StoredUser, decode_stored_user
from features.fold.user import Outcome, fold_user
from features.kernel.users.event_batch import fold_lone, is_lone
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.user_kernel import Hidden, UserKernel
from features.kernel.users.user_rows import UserRows
from features.types import Event, Item, ItemId
from streaming.operators.byte_states import ByteStates
from streaming.operators.stored_state import StoredLive, decode_live, encode
from streaming.redis_sink.redis_commands import UserWrite

MAX_TASTE_NAMES: Final = 1 << 20
"""Names of tastes that the kernel holds; beyond them the cache begins anew."""


class LiveUser:
    """A user as rows, and its changes to be written to Redis."""

    __slots__ = ("broker_ts", "journal", "n", "rows", "seen", "weight")

    def __init__(self, rows: UserRows, journal: Journal, n: int = 0, broker_ts: int = 0) -> None:
        self.rows = rows
        self.journal = journal
        self.n = n
        self.broker_ts = broker_ts
        self.seen: dict[int, int] = {}
        """Item → the time until which it is hidden now; 0: not any more."""
        self.weight = 0

    def note_changes(self, records: Records, hidden: Hidden) -> None:
        """Take what the kernel's fold changed into the journal and the next write to Redis."""
        self.journal.extend(records)
        for item_id, until in hidden:
            self.seen[item_id] = until


class UserStates:
    """The cache (see the module)."""

    def __init__(self, states: ByteStates, base: Base, limit: int) -> None:
        """`limit`: of the cache's weight, which is the memory that its users take, about."""
        self._base = base
        self._limit = limit
        self._schema = base.schema
        self.kernel = UserKernel(rules_of(base.schema))
        self._heads = states.map_by_id("users")
        self._chunks = states.map_by_text("journal")
        self._cache: OrderedDict[int, LiveUser] = OrderedDict()
        self._weight = 0
        """Sum of the weights of the users in the cache; a user outside it weighs 0."""
        self._evicted = 0

    def load_user(self, user_id: int) -> LiveUser:
        user = self._cache.get(user_id)
        if user is not None:
            self._cache.move_to_end(user_id)
            return user
        data = self._heads.get(user_id)
        return self._from_base(user_id) if data is None else self._from_flink(user_id, decode_live(data))

    def _from_flink(self, user_id: int, stored: StoredLive) -> LiveUser:
        chunks = [self._chunks.get(f"{user_id}/{number}") for number in range(stored.first, stored.next)]
        records = sum(int.from_bytes(chunk[:2], "little") for chunk in chunks) + stored.open_count
        data = b"".join((*(chunk[2:] for chunk in chunks), stored.open))
        rows = self.kernel.load(StoredUser(stored.features, stored.floor, records, data))
        journal = Journal(stored.first, stored.next, stored.total, stored.open_count, stored.open, stored.floor)
        return LiveUser(rows, journal, stored.n, stored.broker_ts)

    def _from_base(self, user_id: int) -> LiveUser:
        stored, journal = self._base.stored_user(user_id), Journal()
        if stored is None:
            return LiveUser(self.kernel.new_user(user_id), journal)
        rows = self.kernel.load(decode_stored_user(stored))
        journal.rewrite(self.kernel.journal_of(rows), rows.floor)
        return LiveUser(rows, journal)

    def fold_left_over(self, user: LiveUser, event: Event, item_of: Callable[[ItemId], Item | None], n: int) -> Outcome:
        """Fold an event that is not plain: by the kernel, where it is an undo or a profile, else by the specification. item_of:
        the catalogue's item of an id."""
        if is_lone(event):
            outcome, records, hidden = fold_lone(self.kernel, user.rows, event, item_of, n)
            user.note_changes(records, hidden)
            return outcome
        state = self.kernel.thaw(user.rows)
        state.collect_changes()
        outcome = fold_user(state, event, item_of(event.item_id), n, self._schema)
        changes = state.drain_changes()
        user.journal.append(changes, state.memory.floor)
        for hidden_id, _, until in changes.seen:
            user.seen[hidden_id] = until
        self.kernel.freeze(user.rows, state)
        return outcome

    def store(self, changed: dict[int, LiveUser], whole: bool = False) -> dict[int, UserWrite]:
        """Put users into Flink's state; returns the write to Redis for each, of what has changed or of the whole."""
        heads: dict[int, bytes] = {}
        chunks: dict[str, bytes] = {}
        writes: dict[int, UserWrite] = {}
        for user_id, user in changed.items():
            rows, journal = user.rows, user.journal
            if journal.is_mostly_history(rows.size):
                for number in journal.rewrite(self.kernel.journal_of(rows), rows.floor):
                    self._chunks.remove(f"{user_id}/{number}")
            for number, count, data in journal.closed:
                chunks[f"{user_id}/{number}"] = count.to_bytes(2, "little") + data
            journal.closed.clear()
            heads[user_id] = encode(
                StoredLive(
                    features=rows.features,
                    floor=rows.floor,
                    n=user.n,
                    broker_ts=user.broker_ts,
                    first=journal.first,
                    next=journal.next,
                    total=journal.total,
                    open_count=journal.open_count,
                    open=bytes(journal.open),
                )
            )
            changes = UserWrite(user.n, user.broker_ts, rows.features, user.seen)
            writes[user_id] = self._whole(user) if whole else changes
            user.seen = {}
            self._put_in_cache(user_id, user)
        if chunks:
            self._chunks.put_all(chunks)
        self._heads.put_all(heads)
        self._forget_names()
        return writes

    def take_evicted(self) -> int:
        """How many users went for want of room since the last call."""
        evicted, self._evicted = self._evicted, 0
        return evicted

    def whole_writes(self, user_ids: Iterable[int]) -> dict[int, UserWrite]:
        """Returns complete writes of these users, which Redis may have or not."""
        writes = {}
        for user_id in user_ids:
            user = self.load_user(user_id)
            writes[user_id] = self._whole(user)
            self._put_in_cache(user_id, user)
        return writes

    def _whole(self, user: LiveUser) -> UserWrite:
        return UserWrite(user.n, user.broker_ts, user.rows.features, self.kernel.hidden(user.rows), True)

    def _put_in_cache(self, user_id: int, user: LiveUser) -> None:
        """Cache a user, or update its weight; evicts the least recently used beyond the limit."""
        weight = user.rows.nbytes + len(user.journal.open)
        if self._cache.setdefault(user_id, user) is not user:
            raise RuntimeError(f"two copies of user {user_id}")
        self._weight += weight - user.weight
        user.weight = weight
        while self._weight > self._limit and len(self._cache) > 1:
            _, evicted = self._cache.popitem(last=False)
            self._weight -= evicted.weight
            evicted.weight = 0  # it may be a user of this batch, whose turn to be stored is still to come
            self._evicted += 1

    def _forget_names(self) -> None:
        """Begin anew with no user cached, where the names of tastes have become too many: rows refer to them by number."""
        if len(self.kernel.names) > MAX_TASTE_NAMES:
            self._evicted += len(self._cache)
            self._cache.clear()
            self._weight = 0
            self.kernel.forget_names()
