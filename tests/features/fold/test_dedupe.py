"""The dedupe window and the seen set: bounded, and never counting an event twice."""

from hypothesis import given
from hypothesis import strategies as st

from features.fold.dedupe import Applied, DedupeMemory, SeenItems

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


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=80))
def test_changes_replay_to_the_same_memory(acts: list[tuple[bool, int]]) -> None:
    """A shell that stores only `changes` holds what the memory holds."""
    seen = SeenItems(limit=5)
    stored: dict[int, int] = {}
    seen.changes = []
    for n, (add, item) in enumerate(acts):
        if add:
            seen.add(item, n)
        else:
            seen.discard(item)
        for key, value in seen.changes:
            if value is None:
                stored.pop(key)
            else:
                stored[key] = value
        seen.changes.clear()
        assert stored == dict(seen.items())
        assert len(seen) <= 5
    assert list(SeenItems(stored.items(), limit=5).items()) == list(seen.items())


def test_the_least_recently_touched_item_goes_first() -> None:
    seen = SeenItems(limit=2)
    for n, item in enumerate([1, 2, 1, 3]):
        seen.add(item, n)
    assert 1 in seen
    assert 3 in seen
    assert 2 not in seen
