"""The dedupe window and the seen set: bounded, and never counting an event twice."""

from hypothesis import given
from hypothesis import strategies as st

from features.fold.dedupe import Applied, DedupeMemory, SeenItems
from features.types import FOREVER

LIMIT = 8
keys = st.integers(0, 40)


@given(st.lists(st.tuples(st.integers(0, 20), keys), max_size=80))
def test_no_event_is_ever_applied_twice(arrivals: list[tuple[int, int]]) -> None:
    """An id has one time, as an event has; whatever comes in whatever order, each is applied at most once."""
    memory, applied = DedupeMemory(limit=LIMIT), []
    ts_of: dict[int, int] = {}
    for ts, key in arrivals:
        ts = ts_of.setdefault(key, ts)
        if memory.get(key) is None and not memory.is_late(ts, key):
            memory.add(key, Applied(ts, 1, 1, 0, False))
            applied.append(key)
        assert len(memory) <= LIMIT
    assert len(applied) == len(set(applied))


@given(st.lists(st.tuples(st.integers(0, 20), keys), max_size=40))
def test_the_newest_are_remembered(arrivals: list[tuple[int, int]]) -> None:
    memory, ts_of = DedupeMemory(limit=LIMIT), {}
    for ts, key in arrivals:
        if key not in ts_of:
            ts_of[key] = ts
            if not memory.is_late(ts, key):
                memory.add(key, Applied(ts, 1, 1, 0, False))
    newest = sorted((ts, key) for key, ts in ts_of.items())[-LIMIT:]
    assert sorted((entry.ts, key) for key, entry in memory.items()) == newest


@given(st.lists(st.tuples(st.sampled_from([0, 5, 9, FOREVER]), st.booleans(), st.integers(0, 12)), max_size=80))
def test_changes_replay_to_the_same_memory(acts: list[tuple[int, bool, int]]) -> None:
    """A shell that stores only `changes` holds what the memory holds."""
    seen = SeenItems(limit=5)
    stored: dict[int, tuple[int, int]] = {}
    seen.changes = []
    for n, (until, add, item) in enumerate(acts):
        if add and until:
            seen.add(item, n, until)
        else:
            seen.shorten(item, until)
        for key, value, hidden in seen.changes:
            if value is None:
                stored.pop(key)
            else:
                stored[key] = value, hidden
        seen.changes.clear()
        assert stored == {key: (position, hidden) for key, position, hidden in seen.items()}
        assert len(seen) <= 5
    again = SeenItems(((key, position, hidden) for key, (position, hidden) in stored.items()), limit=5)
    assert list(again.items()) == list(seen.items())


def test_an_item_is_hidden_for_as_long_as_the_longest_says() -> None:
    seen = SeenItems()
    for n, until in enumerate((50, 30, FOREVER, 40)):
        seen.add(1, n, until)
        assert list(seen.items()) == [(1, n, max(50, until) if n < 2 else FOREVER)]


def test_the_least_recently_touched_item_goes_first() -> None:
    seen = SeenItems(limit=2)
    for n, item in enumerate([1, 2, 1, 3]):
        seen.add(item, n)
    assert 1 in seen
    assert 3 in seen
    assert 2 not in seen
