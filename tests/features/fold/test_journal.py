"""The journal of memory and seen set: read from its start it is the state, and it stays bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import Broken
from features.fold.dedupe import REMEMBERED, Applied, Changes, DedupeMemory, SeenItems
from features.fold.journal import CHUNK, Journal, encode_records, replay_journal
from features.fold.state import UserFeatures
from features.fold.user import UserState, fold_user, undone_item
from features.types import CLICK, FOREVER, FORGET_USER, LIKE, UNDO, Event
from tests.features.strategies import CATALOGUE, USER, logs
from tests.schemas import MOVIES

Piece = tuple[int, bytes]


class Store:
    """A shell's storage: closed chunks by number, as a Journal hands them out."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.chunks: dict[int, Piece] = {}

    def take(self, state: UserState, compact: bool = False) -> None:
        """After a fold."""
        memory, seen = state.memory, state.seen
        self.journal.append(state.drain_changes(), memory.floor)
        if compact or self.journal.is_mostly_history(len(memory) + len(seen)):
            for number in self.journal.rewrite(encode_records(memory, seen), memory.floor):
                self.chunks.pop(number, None)
        for number, count, data in self.journal.closed:
            self.chunks[number] = (count, data)
        self.journal.closed.clear()

    def pieces(self) -> list[Piece]:
        closed = [self.chunks[number] for number in range(self.journal.first, self.journal.next)]
        return [*closed, (self.journal.open_count, bytes(self.journal.open))]


def fold(state: UserState, event: Event, n: int) -> None:
    item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
    fold_user(state, event, None if item_id is None else CATALOGUE.get(item_id), n, MOVIES)


def contents(
    memory: DedupeMemory, seen: SeenItems
) -> tuple[int, list[tuple[int, Applied]], list[tuple[int, int, int]]]:
    """In order: the order of memory and of seen items is part of what a base stores."""
    return memory.floor, list(memory.items()), list(seen.items())


@given(logs(max_size=150), st.sampled_from([1, 5, CHUNK]), st.integers(0, 40))
def test_replaying_gives_the_state_again(log: list[Event], every: int, looks: int) -> None:
    """Undos, forgetting and repetitions among the events; compacted here and there."""
    state, store = UserState(UserFeatures(USER)), Store()
    state.collect_changes()
    for n, event in enumerate(log, 1):
        fold(state, event, n)
        store.take(state, n % (every * 7) == 0)
        if n % (looks + 1) and n < len(log):
            continue
        memory, seen = replay_journal(store.pieces(), state.memory.floor)
        assert sorted(memory.items()) == sorted(state.memory.items())
        assert list(seen.items()) == list(state.seen.items())
        assert (memory.floor, memory.changes, seen.changes) == (state.memory.floor, None, None)


@given(logs())
def test_the_shortest_journal_is_one_piece_in_the_same_order(log: list[Event]) -> None:
    state = UserState(UserFeatures(USER))
    for n, event in enumerate(log, 1):
        fold(state, event, n)
    data, ends = encode_records(state.memory, state.seen)
    assert len(ends) == len(state.memory) + len(state.seen)
    again = replay_journal([(len(ends), data)], state.memory.floor)
    assert contents(*again) == contents(state.memory, state.seen)
    assert encode_records(*again) == (data, ends)


def test_what_fell_out_of_the_bounds_falls_out_again() -> None:
    """More events than are remembered: the journal still holds what the memory has dropped."""
    state, journal = UserState(UserFeatures(USER)), Journal()
    state.collect_changes()
    pieces: list[Piece] = []
    for n in range(REMEMBERED + 500):
        fold_user(state, Event(f"e{n}", CLICK, USER, n % 50, 0, "", n), None, n, MOVIES)
        journal.append(state.drain_changes(), state.memory.floor)
    pieces = [(count, data) for _, count, data in journal.closed] + [(journal.open_count, bytes(journal.open))]
    assert sum(count for count, _ in pieces) == journal.total == 2 * (REMEMBERED + 500)
    memory, seen = replay_journal(pieces, -1)
    assert contents(memory, seen) == contents(state.memory, state.seen)
    assert len(memory) == REMEMBERED


def test_it_stays_bounded_however_long_a_user_lives() -> None:
    state, store = UserState(UserFeatures(USER)), Store()
    state.collect_changes()
    most = 0
    for n in range(30_000):
        fold_user(state, Event(f"e{n}", CLICK, USER, n % 50, 0, "", n), None, n, MOVIES)
        store.take(state)
        most = max(most, sum(count for count, _ in store.chunks.values()) + store.journal.open_count)
        assert store.journal.open_count < CHUNK
    limit = 2 * (REMEMBERED + 50) + 256 + CHUNK
    assert most <= limit
    assert len(store.chunks) <= limit // CHUNK + 1
    memory, seen = replay_journal(store.pieces(), -1)
    assert sorted(memory.items()) == sorted(state.memory.items())
    assert list(seen.items()) == list(state.seen.items())


def test_compacting_names_the_chunks_that_go() -> None:
    memory, seen = DedupeMemory(), SeenItems()
    journal = Journal()
    for n in range(3 * CHUNK):
        seen.add(1, n)
        journal.append(Changes([], [(1, n, FOREVER)]), memory.floor)
    assert [number for number, _, _ in journal.closed] == [0, 1, 2]
    journal.closed.clear()
    assert list(journal.rewrite(encode_records(memory, seen), memory.floor)) == [0, 1, 2]
    assert (journal.first, journal.next, journal.total, journal.open_count) == (3, 3, 1, 1)
    assert not journal.is_mostly_history(len(memory) + len(seen))


@pytest.mark.parametrize(("count", "data"), [(1, b""), (1, b"\xc1"), (2, b"\x92\x01\x02"), (1, b"\x92\x01\x02\x00")])
def test_what_is_no_journal_is_refused(count: int, data: bytes) -> None:
    with pytest.raises(Broken, match=f"journal of {count} records"):
        replay_journal([(count, data)], -1)


def test_what_is_forgotten_stays_forgotten() -> None:
    """Else, after a restart, what was erased is remembered: late events count as duplicates, and undo finds them."""
    state, store = UserState(UserFeatures(USER)), Store()
    state.collect_changes()
    for n, (kind, item_id, ts) in enumerate(((CLICK, 1, 10), (CLICK, 2, 99), (FORGET_USER, -1, 50))):
        fold(state, Event(f"e{n}", kind, USER, item_id, 0, "", ts), n)
        store.take(state)
    memory, seen = replay_journal(store.pieces(), state.memory.floor)
    assert contents(memory, seen) == contents(state.memory, state.seen) == (99, [], [])
    assert store.pieces() == [(0, b"")]


def journalled(*log: Event) -> tuple[UserState, Store]:
    """A user after some events, and what a shell keeps of it."""
    state, store = UserState(UserFeatures(USER)), Store()
    state.collect_changes()
    for n, event in enumerate(log, 1):
        fold(state, event, n)
        store.take(state)
    return state, store


def test_an_undone_event_is_undone_in_the_journal() -> None:
    """Else, after a restart, it could be undone once more."""
    state, store = journalled(Event("a", LIKE, USER, 1, 0, "", 1000), Event("u", UNDO, USER, -1, 0, "a", 2000))
    memory, _ = replay_journal(store.pieces(), -1)
    assert dict(memory.items()) == dict(state.memory.items())
    assert [entry.undone for _, entry in memory.items()] == [True, False]


def test_a_forgotten_users_journal_is_written_anew_once() -> None:
    like, forget = Event("a", LIKE, USER, 1, 0, "", 1000), Event("f", FORGET_USER, USER, -1, 0, "", 2000)
    state, store = journalled(like, forget, Event("b", LIKE, USER, 1, 0, "", 3000))
    assert not store.journal.is_mostly_history(len(state.memory) + len(state.seen))
