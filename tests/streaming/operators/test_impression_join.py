"""Open lists by themselves: half an hour of them at 400 a second, what is dropped and counted, and restarts at any moment."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.samples import MAX_ACTIONS, Action
from features.units import MINUTE_MS
from streaming.operators.impression_join import (
    ACTED_LISTS,
    CHUNK,
    HELD_USERS,
    OPEN_LISTS,
    USERS_ACTIONS,
    ClosedList,
    LaneLists,
    OpenLists,
)
from streaming.operators.list_references import OpenList, chunk_of, open_chunk, pack_reference, unpack_chunk
from streaming.testing.keyed_state import MemoryStates, Store

WINDOW_MS = 30 * MINUTE_MS
NOW = 1_700_000_040_000
"""A full minute."""
LANES = 8


class Lane:
    """The open lists of one lane, over a state that outlives them."""

    def __init__(self, store: Store | None = None, window_ms: int = WINDOW_MS) -> None:
        self.store = Store() if store is None else store
        states = self.store.states
        self.lists = OpenLists(
            MemoryStates(lambda name: lambda: states.setdefault(name, {}).setdefault(0, {})), window_ms
        )
        self.lane: LaneLists = self.lists.lane()
        self.shown = 0

    def show(self, name: str, user: int = 7, at: int = NOW) -> None:
        self.lists.show(self.lane, OpenList(name, user, user, at, self.shown, 10 + self.shown), at)
        self.shown += 1

    def act(self, name: str, event: str, user: int = 7, at: int = NOW) -> None:
        self.lists.act(self.lane, user, name, Action(event, "click", at, 5), at)

    def close(self, at: int) -> list[ClosedList]:
        """All that is closed by then."""
        closed, turns = list(self.lists.close(self.lane, at)), 1
        while self.lists.due(self.lane, at):
            closed += self.lists.close(self.lane, at)
            turns += 1
            assert turns < 1_000, "something is due that never goes"
        self.lists.store(self.lane)
        return closed

    def restarted(self, window_ms: int = WINDOW_MS) -> "Lane":
        self.lists.store(self.lane)
        again = Lane(self.store.copy(), window_ms)
        again.shown = self.shown
        return again


def events_of(closed: list[ClosedList]) -> dict[str, list[str]]:
    return {each.reference.request_id: [action.event_id for action in each.actions] for each in closed}


def test_an_act_after_25_minutes_at_400_lists_a_second_is_in_its_sample() -> None:
    """One lane of eight: 50 lists a second, of 1,000 users, with the ids that the API gives."""
    lane, rng = Lane(), random.Random(1)
    names: list[str] = []
    for number in range(50 * 60 * 30):
        at = NOW + 20 * number
        names.append(rng.randbytes(16).hex())
        lane.show(names[-1], number % 1000, at)
        if number >= 50 * 60 * 25 and number % 100 == 0:
            lane.act(names[number - 50 * 60 * 25], f"e{number}", (number - 50 * 60 * 25) % 1000, at)
        if number % 50 == 0:
            assert lane.close(at) == []
    assert lane.lane.count == 90_000
    assert lane.store.size("open-lists") < 40e6 / LANES
    acted = {names[number - 50 * 60 * 25]: [f"e{number}"] for number in range(50 * 60 * 25, 50 * 60 * 30, 100)}
    closed = events_of(lane.close(NOW + 20 * len(names) + WINDOW_MS))
    assert list(closed) == names
    assert {name: events for name, events in closed.items() if events} == acted
    assert (lane.lane.early, lane.lane.unmatched, lane.lane.count) == (0, 0, 0)
    assert lane.store.size() == 0


def test_beyond_the_bound_the_oldest_are_closed_early_and_counted() -> None:
    lane = Lane()
    for number in range(OPEN_LISTS + 1):
        lane.show(f"r{number}", at=NOW + 1 + number)
    closed = lane.close(NOW)
    assert [each.reference.request_id for each in closed] == [f"r{number}" for number in range(CHUNK)]
    assert all(each.reference.ts <= each.closed_ts < NOW + WINDOW_MS for each in closed)
    assert (lane.lane.count, lane.lane.early) == (OPEN_LISTS + 1 - CHUNK, CHUNK)


def test_the_lists_of_a_minute_are_closed_a_few_at_once() -> None:
    lane = Lane()
    for number in range(10 * CHUNK):
        lane.show(f"r{number}")
    first = list(lane.lists.close(lane.lane, NOW + WINDOW_MS))
    assert 0 < len(first) < 10 * CHUNK
    assert lane.lists.due(lane.lane, NOW + WINDOW_MS)
    assert len(lane.close(NOW + WINDOW_MS)) == 10 * CHUNK - len(first)
    assert not lane.lists.due(lane.lane, NOW + WINDOW_MS)


def test_actions_that_meet_no_list_are_dropped_after_their_time_and_counted() -> None:
    lane = Lane()
    lane.act("never shown", "a")
    lane.act("never shown", "b")
    lane.show("r", 8)
    assert lane.close(NOW + WINDOW_MS)
    assert (lane.lane.unmatched, list(lane.lane.acting)) == (0, [7])  # its list may still be on its way
    lane.close(NOW + WINDOW_MS + 3 * MINUTE_MS)
    assert (lane.lane.unmatched, lane.lane.acting, lane.store.size()) == (2, {}, 0)


def test_a_user_who_acts_on_ever_new_lists_holds_a_bounded_number_of_them() -> None:
    lane = Lane()
    for number in range(ACTED_LISTS + 3):
        lane.act(f"r{number}", f"e{number}")
        lane.show(f"r{number}")
    assert lane.lane.unmatched == 3
    closed = events_of(lane.close(NOW + WINDOW_MS))
    assert list(closed.values())[:4] == [[], [], [], ["e3"]]


def test_a_list_takes_no_more_actions_than_its_bound() -> None:
    lane = Lane()
    lane.show("r")
    for number in range(MAX_ACTIONS + 3):
        lane.act("r", f"e{number}")
    assert events_of(lane.close(NOW + WINDOW_MS)) == {"r": [f"e{number}" for number in range(MAX_ACTIONS)]}


def test_forgetting_takes_the_lists_before_and_not_those_after() -> None:
    lane = Lane()
    lane.show("before")
    lane.act("before", "a")
    lane.show("another's", 8)
    lane.lists.forget(lane.lane, 7, NOW, NOW)
    lane.show("after", at=NOW + 1)
    lane.act("after", "b")
    assert events_of(lane.restarted().close(NOW + WINDOW_MS + MINUTE_MS)) == {"another's": [], "after": ["b"]}
    lane.close(NOW + WINDOW_MS + 3 * MINUTE_MS)
    assert (lane.lane.forgotten, lane.store.size()) == ({}, 0)


def test_a_shorter_wait_from_a_restart_on_loses_nothing_of_lists_that_are_open() -> None:
    lane = Lane()
    lane.show("acted on")
    lane.show("forgotten", 8)
    lane = lane.restarted(5 * MINUTE_MS)
    lane.act("acted on", "a", at=NOW + 1000)
    lane.lists.forget(lane.lane, 8, NOW, NOW + 1000)
    lane.close(NOW + 20 * MINUTE_MS)
    assert events_of(lane.close(NOW + WINDOW_MS)) == {"acted on": ["a"]}


def test_lists_closed_early_while_the_log_is_behind_are_closed_before_all_that_are_closed_in_time() -> None:
    """Whoever learns of them passes over what was closed before the newest that it has learned."""
    lane = Lane()
    for number in range(OPEN_LISTS + CHUNK):
        lane.show(f"r{number}", at=NOW + number)
    early = list(lane.lists.close(lane.lane, NOW - 600 * MINUTE_MS))
    assert lane.lane.early == len(early) > 0
    assert all(each.reference.ts <= each.closed_ts for each in early)
    in_time = lane.close(NOW + 2 * WINDOW_MS)
    assert len(in_time) == OPEN_LISTS + CHUNK - len(early)
    assert max(each.closed_ts for each in early) <= min(each.closed_ts for each in in_time)


def test_a_log_of_few_lists_in_many_minutes_is_kept_up_with() -> None:
    """As when a log is folded anew: each batch has lists of many minutes."""
    lane, closed = Lane(), 0
    for batch in range(100):
        for number in range(30):
            lane.show(f"r{batch}-{number}", at=NOW + (30 * batch + number) * 2 * MINUTE_MS)
        now = NOW + 30 * batch * 2 * MINUTE_MS
        closed += len(list(lane.lists.close(lane.lane, now)))
        lane.lists.store(lane.lane)
    assert lane.lane.count == 3_000 - closed < 100


def test_a_user_who_acts_all_the_time_holds_a_bounded_number_of_acts() -> None:
    lane = Lane()
    for number in range(2 * USERS_ACTIONS):
        lane.act(f"r{number // 100}", f"e{number}")
    held = lane_acts(lane)
    assert lane.lane.unmatched == 2 * USERS_ACTIONS - held
    assert USERS_ACTIONS - 100 < held <= USERS_ACTIONS


class Counted(dict[int, bytes]):
    """The values of a state, and how often one was read or put."""

    touched = 0

    def get(self, key: int, default: Any = None) -> Any:
        self.touched += 1
        return super().get(key, default)

    def __setitem__(self, key: int, value: bytes) -> None:
        self.touched += 1
        super().__setitem__(key, value)


def test_the_acts_of_a_user_are_read_once_and_stored_once_for_a_batch() -> None:
    """However many they are: each time takes as long as the user has acts."""
    lane, acted = Lane(), Counted()
    lane.store.states["acted"] = {0: acted}
    for number in range(USERS_ACTIONS):
        lane.act(f"r{number % ACTED_LISTS}", f"e{number}", 7 + number % 3)
        lane.lists.take_back(lane.lane, 7, f"e{number - 9}")
    for _ in range(2):
        lane.lists.store(lane.lane)
        assert acted.touched == 2 * 3


def test_more_users_may_act_in_a_batch_than_a_lane_holds() -> None:
    lane, users = Lane(), range(2 * HELD_USERS + 1)
    for turn in range(3):
        for user in users:
            lane.show(f"r{turn}-{user}", user)
            lane.act(f"r{turn}-{user}", f"e{turn}-{user}", user)
            assert len(lane.lane.held) <= HELD_USERS
    closed = events_of(lane.restarted().close(NOW + WINDOW_MS))
    assert closed == {f"r{turn}-{user}": [f"e{turn}-{user}"] for turn in range(3) for user in users}


def lane_acts(lane: Lane, user: int = 7) -> int:
    """How many acts of a user are held."""
    for number in range(2 * USERS_ACTIONS // 100):
        lane.show(f"r{number}", user)
    copy = lane.restarted()
    return sum(len(each.actions) for each in copy.close(NOW + 2 * WINDOW_MS))


references = st.builds(
    OpenList,
    st.one_of(st.text(max_size=40), st.binary(min_size=16, max_size=16).map(bytes.hex), st.just("A" * 32)),
    st.integers(-(2**63), 2**63 - 1),
    st.one_of(st.integers(0, 2**63 - 1), st.text(min_size=1, max_size=20)),
    st.integers(0, 2**62),
    st.integers(0, 2**40),
    st.one_of(st.none(), st.integers(0, 2**40)),
)


@given(st.lists(references, max_size=CHUNK))
def test_a_chunk_gives_what_was_put_in(given_ones: list[OpenList]) -> None:
    chunk = chunk_of(len(given_ones), b"".join(map(pack_reference, given_ones)))
    assert unpack_chunk(chunk) == given_ones
    assert open_chunk(chunk) == (len(given_ones), chunk[3:])


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_a_restart_at_any_moment_changes_nothing(seed: int, count: int) -> None:
    calm, rough, rng = Lane(), Lane(), random.Random(seed)
    closed: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for number in range(count):
        at, user = NOW + number * rng.choice([0, 1000, 20_000]), rng.randrange(5)
        name, other = f"r{number}", f"r{rng.randrange(number + 3)}"
        step = rng.choice(["show", "show", "act", "undo", "forget", "close"])
        for which, lane in enumerate((calm, rough)):
            if step == "show":
                lane.show(name, user, at)
            elif step == "act":
                lane.act(other, f"e{number}", user, at)
            elif step == "undo":
                lane.lists.take_back(lane.lane, user, f"e{number - 1}")
            elif step == "forget":
                lane.lists.forget(lane.lane, user, at, at)
            else:
                closed[which].update(events_of(lane.close(at)))
        if rng.random() < 0.2:
            rough = rough.restarted()
    calm.lists.store(calm.lane)
    rough.lists.store(rough.lane)
    assert calm.store.states.get("acted") == rough.store.states.get("acted")
    end = NOW + count * 20_000 + 2 * WINDOW_MS
    closed[0].update(events_of(calm.close(end)))
    closed[1].update(events_of(rough.close(end)))
    assert closed[0] == closed[1]


@pytest.mark.parametrize("offset", [0, 1, MINUTE_MS - 1])
def test_a_list_is_open_for_its_window_and_closed_with_the_minute(offset: int) -> None:
    lane = Lane()
    lane.show("r", at=NOW + offset)
    assert lane.close(NOW + offset + WINDOW_MS - 1) == []
    (closed,) = lane.close(NOW + MINUTE_MS + WINDOW_MS)
    assert closed.closed_ts == NOW + WINDOW_MS + (MINUTE_MS if offset else 0)
