"""Users over Flink's state: whatever is dropped from memory in between, they are what the plain fold says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.fold.state import UserFeatures, encode_features
from features.fold.user import UserState, fold_user, store_user, undone_item
from features.kernel.users.event_batch import EventBatch
from features.types import CLICK, UNDO, Event
from streaming.machine_memory import MIN_CACHED
from streaming.operators.user_cache import LiveUser, UserStates
from tests.features.strategies import CATALOGUE, logs, undoing
from tests.schemas import MOVIES


class Map(dict[Any, Any]):
    """Flink's map state, as far as it is used; `reads` are the keys that were read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[Any] = []

    def get(self, key: Any, default: Any = None) -> Any:
        self.reads.append(key)
        return super().get(key, default)

    put = dict.__setitem__
    put_all = dict.update

    def remove(self, key: Any) -> None:
        self.pop(key, None)


class States:
    """States that outlive the operator, as after a restart."""

    def __init__(self) -> None:
        self.maps: dict[str, Map] = {}

    def map_by_id(self, name: str) -> Map:
        return self.maps.setdefault(name, Map())

    map_by_text = map_by_id


class NoBase:
    schema = MOVIES

    def stored_user(self, user_id: int) -> None:
        return None


def states_in(context: Any, limit: int = MIN_CACHED) -> UserStates:
    base: Any = NoBase()
    return UserStates(context, base, limit)


def apply(state: UserState, event: Event, n: int) -> None:
    item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
    fold_user(state, event, None if item_id is None else CATALOGUE.get(item_id), n, MOVIES)


def fold(states: UserStates, user: LiveUser, event: Event, n: int) -> None:
    """Fold an event as the operator does, by the kernel or by the specification."""
    batch = EventBatch[LiveUser](states.kernel, MOVIES)
    item = CATALOGUE.get(event.item_id)
    if batch.takes(event):
        batch.add(user, user.rows, event, item, n, 0)
        for folded in batch.fold().users:
            user.note_changes(folded.records, folded.hidden)
    else:
        states.fold_left_over(user, event, CATALOGUE.get, n)


@given(logs(min_size=1, max_size=200), st.integers(1, 30))
def test_restarts_change_nothing(log: list[Event], every: int) -> None:
    plain, context = UserState(UserFeatures(7)), States()
    states = states_in(context)
    for n, event in enumerate(log, start=1):
        apply(plain, event, n)
        user = states.load_user(7)
        fold(states, user, event, n)
        user.n = n
        write = states.store({7: user})[7]
        assert write.value == encode_features(plain.features)
        if n % every == 0:
            states = states_in(context)
    assert states.kernel.store(states.load_user(7).rows) == store_user(plain)


def fold_plainly(states: UserStates, user: LiveUser, event: Event, n: int) -> None:
    """Fold an event by the specification, whatever it is."""
    state = states.kernel.thaw(user.rows)
    state.collect_changes()
    apply(state, event, n)
    changes = state.drain_changes()
    user.journal.append(changes, state.memory.floor)
    user.seen |= {item_id: until for item_id, _, until in changes.seen}
    states.kernel.freeze(user.rows, state)


@given(logs(min_size=1, max_size=120), st.integers(0, 2**32), st.integers(1, 120))
def test_a_batch_of_many_undos_leaves_the_bytes_that_the_specification_leaves(
    log: list[Event], seed: int, size: int
) -> None:
    """In Flink's state and in Redis: also where the user is forgotten in between, and the journal written anew."""
    context, plainly = States(), States()
    states, by_specification = states_in(context), states_in(plainly)
    mixed = undoing(log, seed)
    for start in range(0, len(mixed), size):
        user, plain = states.load_user(7), by_specification.load_user(7)
        for n, event in enumerate(mixed[start : start + size], start=start + 1):
            fold(states, user, event, n)
            fold_plainly(by_specification, plain, event, n)
            user.n = plain.n = n
        assert states.store({7: user}) == by_specification.store({7: plain})
        assert context.maps == plainly.maps


def test_a_long_history_is_kept_in_bounded_state() -> None:
    context = States()
    states = states_in(context)
    for n in range(1, 20_001):
        user = states.load_user(7)
        fold(states, user, Event(f"e{n}", CLICK, 7, n % 30, 0, "", 1000 * n), n)
        states.store({7: user})
    sizes = [len(value) for values in context.maps.values() for value in values.values()]
    assert sum(sizes) < 800_000
    whole = states.kernel.store(states.load_user(7).rows)
    assert len(whole.journal) < 400_000
    again = states_in(context)
    assert again.kernel.store(again.load_user(7).rows) == whole


def test_two_copies_of_a_user_are_refused() -> None:
    states = states_in(States())
    one, other = states.load_user(7), states.load_user(7)
    states.store({7: one})
    with pytest.raises(RuntimeError, match="two copies of user 7"):
        states.store({7: other})


def test_the_cache_holds_no_more_than_its_limit_though_a_batch_has_more_users() -> None:
    """Users of a batch are evicted before their own turn to be stored."""
    context, users = States(), range(8)
    states = states_in(context, limit=100)
    for turn in range(40):
        changed = {user: states.load_user(user) for user in users}
        for user, live in changed.items():
            for n in (2 * turn, 2 * turn + 1):
                fold(states, live, Event(f"{user}-{n}", CLICK, user, n % 30, 0, "", 1000 * n), n)
        states.store(changed)
    heads = context.maps["users"]
    heads.reads.clear()
    for user in users:  # one user is over the limit, and the newest always stays
        states.load_user(user)
    assert len(heads.reads) == len(users) - 1
