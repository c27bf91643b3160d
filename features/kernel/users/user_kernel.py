"""The kernel of users: rows from the stored form and back, and the one call that folds a user's events."""

from itertools import chain
from typing import Final

import numpy as np

from features.arrays import AnyArray, IntArray
from features.errors import Broken
from features.fold.journal import Records
from features.fold.state import TASTES, StoredUser, UserFeatures, decode_user, encode_features
from features.fold.user import UserState, store_user, thaw_stored
from features.ids import OuterId
from features.kernel.msgpack_bytes import BROKEN
from features.kernel.users.features_bytes import MAX_FEATURE_BYTES
from features.kernel.users.journal_bytes import MAX_RECORD_BYTES, count_events, read_journal, write_journal
from features.kernel.users.row_types import ACT, LIKED, MAX_REMEMBERED, RECORDS, TASTE, USER, Rules, Written
from features.kernel.users.taste_names import TasteNames
from features.kernel.users.user_fold import fold_events
from features.kernel.users.user_rows import UserRows

_FIRST_ROOM: Final = 256
_RECORDS_AN_EVENT, _CHANGES_AN_EVENT = 3, 2
"""The most that one event writes into the journal, and changes of what is hidden."""
Hidden = list[list[int]]
"""(item, until when it is hidden now; 0: not any more), in the order in which that changed."""
_FIELDS: Final = {name: entry[1] // 8 for name, entry in (USER.fields or {}).items()}
"""Where each field of USER begins, in numbers."""
_ROOM: Final = {name: entry[0].shape[0] for name, entry in (USER.fields or {}).items() if entry[0].shape}
"""How many each list in USER has room for."""


class UserKernel:
    """Folds users by one schema. `rules` has it as arrays; `names` are those of all tastes so far."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.names = TasteNames()
        self._limit = int(rules.limits[MAX_REMEMBERED])
        self._written = _room(_FIRST_ROOM, 0)

    def forget_names(self) -> None:
        """Number names of tastes anew; rows made before are worth nothing afterwards."""
        self.names = TasteNames()

    def new_user(self, outer: OuterId) -> UserRows:
        """A user without any event."""
        return UserRows(outer, "", encode_features(UserFeatures(outer)), self._limit)

    def load(self, stored: StoredUser) -> UserRows:
        """A user from the stored form. Raises Broken where its journal is none, msgspec.DecodeError where its features are
        none."""
        data = np.frombuffer(stored.journal, np.uint8)
        events = int(count_events(data, stored.records))
        if events == BROKEN:
            raise Broken(f"a journal of {stored.records} records can't be read")
        features = decode_user(stored.features)
        items = stored.records - events
        rows = UserRows(features.user_id, features.attributes, stored.features, self._limit, events, items)
        numbers = rows.arrays.user.view(np.int64)
        _fill(numbers, features, self.names)
        numbers[_FIELDS["floor"]] = stored.floor
        read_journal(data, stored.records, rows.arrays, self.rules)
        rows.note_sizes()
        return rows

    def store(self, rows: UserRows) -> StoredUser:
        """The stored form of a user, with the shortest journal."""
        journal = self.journal_of(rows)
        return StoredUser(rows.features, rows.floor, len(journal.ends), journal.data)

    def thaw(self, rows: UserRows) -> UserState:
        """A user as the specification folds it; `freeze` takes it back."""
        return thaw_stored(self.store(rows))

    def freeze(self, rows: UserRows, state: UserState) -> None:
        """Let rows hold a user whom the specification has folded."""
        rows.become(self.load(store_user(state)))

    def journal_of(self, rows: UserRows) -> Records:
        """The shortest journal of a user."""
        written = self._make_room(rows.size, 0)
        size = write_journal(rows.arrays, written)
        return Records(written.data[:size].tobytes(), written.ends[: written.sizes[RECORDS]].tolist())

    def hidden(self, rows: UserRows) -> dict[int, int]:
        """What is hidden from a user: item → until when, the one not touched for longest first."""
        items = rows.arrays.items[: rows.arrays.user[0].hidden_rows]
        valid = items[items["until"] != 0]
        return dict(zip(valid["item_id"].tolist(), valid["until"].tolist(), strict=True))

    def fold(
        self, rows: UserRows, batch: AnyArray, start: int, stop: int, outcomes: AnyArray
    ) -> tuple[Records, Hidden]:
        """Fold batch[start:stop], [B] EVENT, all of this user; `outcomes`, [B] OUTCOME, is filled. Returns the journal's new
        records, and what is hidden now."""
        count = stop - start
        if rows.free_events < count or rows.free_items < count:
            rows.make_room(count, count, self._limit)
        written = self._make_room(_RECORDS_AN_EVENT * count, _CHANGES_AN_EVENT * count)
        names = self.names
        fold_events(*rows.arrays, batch, start, stop, names.lists, outcomes, *self.rules, *names.arrays, *written)
        journal, end, records, changes, event_rows, item_rows, rows.size = written.sizes.tolist()
        rows.free_events = len(rows.arrays.events) - event_rows
        rows.free_items = len(rows.arrays.items) - item_rows
        rows.set_features(written.data[journal:end].tobytes())
        hidden = written.hidden[:changes].tolist() if changes else []
        return Records(written.data[:journal].tobytes(), written.ends[:records].tolist()), hidden

    def _make_room(self, records: int, changes: int) -> Written:
        """Room for so many journal records, the features behind them, and so many changes of what is hidden."""
        written, features = self._written, MAX_FEATURE_BYTES + TASTES * self.names.longest
        if (
            len(written.data) < records * MAX_RECORD_BYTES + features
            or len(written.ends) < records
            or len(written.hidden) < changes
        ):
            self._written = written = _room(2 * max(records, changes), features)
        return written


def _room(records: int, features: int) -> Written:
    return Written(
        np.zeros(records * MAX_RECORD_BYTES + features, np.uint8),
        np.zeros(records, np.int64),
        np.zeros((records, 2), np.int64),
        np.zeros(7, np.int64),
    )


def _fill(numbers: IntArray, features: UserFeatures, names: TasteNames) -> None:
    """Write features into a USER, given as its numbers. Raises Broken where there is more of something than it has room for: code
    of other limits wrote them, without a rise of FOLD_VERSION."""

    def put(field: str, values: list[int]) -> None:
        numbers[_FIELDS[field] : _FIELDS[field] + len(values)] = values

    def put_list(count: str, field: str, values: list[int], width: int = 1) -> None:
        length = len(values) // width
        if length > _ROOM[field]:
            raise Broken(f"user {features.user_id}: expected at most {_ROOM[field]} in {field}, got {length}")
        put(count, [length, *values])

    for field in ("first_ts", "last_ts", "duplicates", "late", "rating_sum", "rating_sq", "positives", "negatives"):
        numbers[_FIELDS[field]] = getattr(features, field)
    tastes = [number for name, taste in features.tastes.items() for number in (names.number(name), *taste)]
    put_list("kinds_counted", "counts", features.counts)
    put_list("taste_count", "tastes", tastes, TASTE.itemsize // 8)
    put_list("sequence_count", "sequence", [*chain.from_iterable(features.sequence)], LIKED.itemsize // 8)
    put_list("recent_count", "recent", [*chain.from_iterable(features.recent)], ACT.itemsize // 8)
    put("session_start", [*features.session, features.gap, *features.activity, *features.epochs])
