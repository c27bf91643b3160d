"""What is folded of a history is what the specification folds, whenever it is read."""

import random

import pytest

from features.fold.co_visits import Neighbours, Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import TASTES, ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.schema.tables import Schema
from features.types import CLICK, RATING, Event, Item
from offline.training_data.folded_history import FoldedHistory
from tests.schemas import MOVIES, SHOP

START = 1_700_000_000_000
MANY = tuple(f"c:{number}" for number in range(TASTES + 1))
CATALOGUE = {
    item_id: Item(item_id, f"item {item_id}", tastes=MANY if item_id == 3 else (f"c:{item_id % 4}",), label_count=1)
    for item_id in range(12)
}


class BySpecification:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.users: dict[int, UserState] = {}
        self.items: dict[int, ItemFeatures] = {}
        self.pairs: dict[int, Pairs] = {}
        self.taken = 0

    def take(self, event: Event, item: Item | None) -> None:
        self.taken += 1
        state = self.users.setdefault(event.user_id, UserState(UserFeatures(event.user_id)))
        _, added = fold_user(state, event, item, self.taken, self.schema)
        if added is None:
            return
        item_id = added.item_id
        self.items[item_id] = fold_item(self.items.get(item_id) or ItemFeatures(item_id), added, self.schema)
        for one, when, key, other, weight in slots_of(added):
            self.pairs.setdefault(one, Pairs(one)).fold(when, key, other, weight)


def drawn(schema: Schema, seed: int, count: int) -> list[Event]:
    """Events of six users, some with a name; some events twice, some late, on items that the catalogue has and on others."""
    rng, log = random.Random(seed), []
    for number in range(count):
        kind = RATING if schema is MOVIES and rng.random() < 0.9 else CLICK
        centi = rng.randrange(50, 501, 50) if kind == RATING else 0
        at = START + 60_000 * number - rng.choice((0, 0, 0, 7_200_000))
        user_id = rng.randrange(6)
        name = f"user {user_id}" if user_id < 2 else ""
        log.append(Event(f"e{number}", kind, user_id, rng.randrange(15), centi, "", at, user=name))
        if rng.random() < 0.1:
            log.append(rng.choice(log))
    return log


@pytest.mark.parametrize("schema", [MOVIES, SHOP], ids=["movies", "shop"])
@pytest.mark.parametrize(("batch", "rows"), [(3, 2), (4096, 10_000)])
def test_what_is_folded_is_what_the_specification_folds(schema: Schema, batch: int, rows: int) -> None:
    history, plain, rng = FoldedHistory(schema, batch, rows), BySpecification(schema), random.Random(batch)
    items: dict[int, ItemFeatures] = {}
    pairs: dict[int, Neighbours] = {}
    for event in drawn(schema, batch, 400):
        history.take(event, CATALOGUE.get(event.item_id))
        plain.take(event, CATALOGUE.get(event.item_id))
        if rng.random() < 0.1:
            history.fold()
            items.update(history.changed_items())
            pairs.update(history.changed_pairs())
            assert items == plain.items
            assert pairs == {item_id: each.neighbours() for item_id, each in plain.pairs.items()}
            for user_id, state in plain.users.items():
                assert history.features(user_id) == state.features
                assert history.hidden(user_id) == {item: until for item, _, until in state.seen.items()}
    assert len(plain.users) == 6
    assert plain.pairs


def test_what_did_not_change_is_not_read_again() -> None:
    history = FoldedHistory(MOVIES)
    for number, item_id in enumerate((1, 2, 1)):
        history.take(Event(f"e{number}", RATING, 1, item_id, 500, "", START + number), CATALOGUE[item_id])
    history.fold()
    assert sorted(item_id for item_id, _ in history.changed_items()) == [1, 2]
    assert not list(history.changed_items())
    history.take(Event("e3", RATING, 2, 2, 500, "", START + 3), CATALOGUE[2])
    history.fold()
    assert [item_id for item_id, _ in history.changed_items()] == [2]


def test_nobody_has_no_features_and_nothing_hidden() -> None:
    history = FoldedHistory(MOVIES)
    assert history.features(7) == UserFeatures(7)
    assert history.hidden(7) == {}
