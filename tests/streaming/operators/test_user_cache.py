"""Users over Flink's state: whatever is dropped from memory in between, they are what the plain fold says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.fold.state import UserFeatures, encode_features
from features.fold.user import UserState, fold_user, freeze_user, undone_item
from features.types import CLICK, UNDO, Event
from streaming.operators.user_cache import UserStates
from tests.features.strategies import CATALOGUE, logs
from tests.schemas import MOVIES


class Map(dict[Any, Any]):
    """Flink's map state, as far as it is used."""

    put = dict.__setitem__
    put_all = dict.update

    def remove(self, key: Any) -> None:
        self.pop(key, None)


class Context:
    """A runtime context whose state outlives the operator, as after a restart."""

    def __init__(self) -> None:
        self.maps: dict[str, Map] = {}

    def get_map_state(self, descriptor: Any) -> Map:
        return self.maps.setdefault(descriptor.name, Map())


class NoBase:
    def stored_user(self, user_id: int) -> None:
        return None


def states_in(context: Any) -> UserStates:
    base: Any = NoBase()
    return UserStates(context, base)


def apply(state: UserState, event: Event, n: int) -> None:
    item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
    fold_user(state, event, None if item_id is None else CATALOGUE.get(item_id), n, MOVIES)


@given(logs(min_size=1, max_size=200), st.integers(1, 30))
def test_restarts_change_nothing(log: list[Event], every: int) -> None:
    plain, context = UserState(UserFeatures(7)), Context()
    states = states_in(context)
    for n, event in enumerate(log, start=1):
        apply(plain, event, n)
        user = states.load_user(7)
        apply(user.state, event, n)
        user.note_changes()
        user.n = n
        write = states.store({7: user})[7]
        assert write.value == encode_features(plain.features)
        if n % every == 0:
            states = states_in(context)
    stored = states.load_user(7).state
    assert dict(stored.memory.items()) == dict(plain.memory.items())
    assert list(stored.seen.items()) == list(plain.seen.items())
    assert stored.memory.floor == plain.memory.floor
    assert stored.features == plain.features


def test_a_long_history_is_kept_in_bounded_state() -> None:
    context = Context()
    states = states_in(context)
    for n in range(1, 20_001):
        user = states.load_user(7)
        apply(user.state, Event(f"e{n}", CLICK, 7, n % 30, 0, "", 1000 * n), n)
        user.note_changes()
        states.store({7: user})
    sizes = [len(value) for values in context.maps.values() for value in values.values()]
    assert sum(sizes) < 800_000
    assert len(freeze_user(states.load_user(7).state)) < 400_000
    again = states_in(context)
    assert dict(again.load_user(7).state.memory.items()) == dict(states.load_user(7).state.memory.items())


def test_two_copies_of_a_user_are_refused() -> None:
    states = states_in(Context())
    one, other = states.load_user(7), states.load_user(7)
    states.store({7: one})
    with pytest.raises(RuntimeError, match="two copies of user 7"):
        states.store({7: other})
