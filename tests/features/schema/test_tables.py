"""Schemas compiled: weights are those of the document, and the fold holds under any of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.fold.co_visits import Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures, encode_features
from features.fold.user import UserState, fold_user, freeze_user, thaw_user, undone_item
from features.schema.declarations import Attribute, ContextField, UserAttribute
from features.schema.document import Document, read_document
from features.schema.event_kinds import SCALE, EventKind, ValueKind
from features.schema.tables import Schema, is_act, preset_schema, read_schema
from features.types import CLICK, DISLIKE, FOREVER, KINDS, LIKE, NO_ID, PROFILE, RATING, UNDO, VIEW, Event
from features.units import DAY_MS, MINUTE_MS
from tests.features.strategies import CATALOGUE, START, USER
from tests.schemas import MOVIES, SHOP, peopled

WEIGHTS = st.sampled_from([-1.0, -0.5, -0.3, 0.0, 0.125, 0.3, 0.7, 1.0])


ATTRIBUTES = {
    "kind": Attribute("facet", many=True),
    "brand": Attribute("facet"),
    "shop": Attribute("facet", tastes=False),
    "price": Attribute("number", bands=(0, 2.5, 10)),
    "year": Attribute("number", tastes="decade"),
    "face": Attribute("vector", size=3),
    "story": Attribute("text"),
}


@st.composite
def kinds(draw: st.DrawFn, rating: bool = False) -> EventKind:
    """A kind of event."""
    values: list[ValueKind | None] = ["stars"] if rating else [None, "money", "quantity", "seconds"]
    value = draw(st.sampled_from(values))
    starts = sorted(draw(st.sets(st.sampled_from([0.0, 0.5, 2.51, 4.0, 100.0]), max_size=3))) if value else []
    return EventKind(
        weight=0.0 if starts else draw(WEIGHTS),
        value=value,
        weights=tuple((start, draw(WEIGHTS)) for start in starts),
        hide=draw(st.sampled_from(["", "forever", "1h", "30d"])),
        click=draw(st.booleans()),
        repeats=draw(st.booleans()),
    )


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """A schema of one's own, in which something is liked."""
    names = draw(st.lists(st.sampled_from(["click", "view", "like", "dislike", "buy", "cart", "read"]), unique=True))
    events = {name: draw(kinds()) for name in names}
    if draw(st.booleans()):
        events["rating"] = draw(kinds(rating=True))
    items = {name: ATTRIBUTES[name] for name in draw(st.lists(st.sampled_from(list(ATTRIBUTES)), unique=True))}
    events["share"] = EventKind(weight=draw(st.sampled_from([0.3, 1.0])))
    users = draw(st.sampled_from([{}, {"plan": UserAttribute("facet"), "fond_of": UserAttribute("facet", many=True)}]))
    context = draw(st.sampled_from([{}, {"device": ContextField("facet")}]))
    return Schema(Document(events, items, users, context, together=draw(st.sampled_from(["7d", "30m", "2m"]))))


@st.composite
def logs(draw: st.DrawFn, schema: Schema) -> list[Event]:
    """A user's log: events of all kinds, a sixth of them undos of what came before; profiles where users have attributes."""
    codes = [kind.code for kind in schema.kinds if kind is not None and (kind.code < UNDO or kind.code >= len(KINDS))]
    log: list[Event] = []
    for number in range(draw(st.integers(0, 60))):
        which, kind, item, value, step = draw(st.binary(min_size=5, max_size=5))
        ts = START + number * 60_000 + (step - 128) * 10_000
        if log and which >= 210:
            log.append(Event(f"e{number}", UNDO, USER, -1, 0, log[-1 - value % len(log)].event_id, ts))
            continue
        if schema.users and which < 30:
            fields = [{}, {"plan": "paid"}, {"plan": "free", "fond_of": ["tea", "rain"]}][item % 3]
            log.append(Event(f"e{number}", PROFILE, USER, NO_ID, 0, schema.users.canonical(fields, "attributes"), ts))
            continue
        code = codes[kind % len(codes)]
        centi = 50 + value % 10 * 50 if schema.kind(code).value else 0
        log.append(Event(f"e{number}", code, USER, 1 + item % 12, centi, "", ts))
    return log


def apply(state: UserState, event: Event, n: int, schema: Schema) -> None:
    known = undone_item(state, event) if event.kind == UNDO else event.item_id
    fold_user(state, event, None if known is None else CATALOGUE.get(known), n, schema)


def test_the_presets_weigh_what_they_say() -> None:
    assert [MOVIES.weight(RATING, centi) for centi in (50, 250, 251, 399, 400, 500)] == [-1, -1, 0, 0, 1, 1]
    assert [MOVIES.weight(kind, 0) for kind in (CLICK, VIEW, LIKE, DISLIKE)] == [0, 0, 1, -1]
    assert MOVIES.unit == 1
    assert SHOP.unit == 8
    assert [SHOP.weight(SHOP.code_of[name], 100) for name in ("view", "click", "add_to_cart", "purchase")] == [
        1,
        2,
        4,
        8,
    ]
    watch = preset_schema("video").code_of["watch"]
    assert [preset_schema("video").weight(watch, 100 * seconds) for seconds in (3, 15, 119, 120, 600)] == [
        -1,
        1,
        1,
        3,
        4,
    ]


def test_a_shops_clicks_of_one_visit_are_together_and_films_of_a_week() -> None:
    assert (MOVIES.together, SHOP.together) == (7 * DAY_MS, 30 * MINUTE_MS)
    for schema, ts, together in (
        (SHOP, 30 * MINUTE_MS, True),
        (SHOP, 30 * MINUTE_MS + 1, False),
        (MOVIES, DAY_MS, True),
    ):
        state = UserState(UserFeatures(USER))
        for number, when in enumerate((START, START + ts), start=1):
            event = Event(f"e{number}", LIKE, USER, number, 0, "", when)
            added = fold_user(state, event, None, number, schema).contribution
        assert added is not None
        assert added.partners == ((1,) if together else ())


def test_kinds_keep_their_codes_and_own_ones_follow() -> None:
    assert {name: SHOP.code_of[name] for name in ("impression", "click", "undo", "forget_user")} == {
        "impression": 0,
        "click": 1,
        "undo": 6,
        "forget_user": 7,
    }
    assert [SHOP.code_of[name] for name in ("add_to_cart", "remove_from_cart", "purchase")] == [8, 9, 10]
    assert preset_schema("news").kinds[RATING] is None


@given(schemas())
def test_a_weight_is_that_of_the_document_in_256ths(schema: Schema) -> None:
    for name, kind in schema.document.events.items():
        for centi in (0, 49, 50, 250, 251, 400, 9_999, 10_000):
            wanted = kind.weight
            for start, weight in kind.weights:
                if centi >= start * 100:
                    wanted = weight
            if kind.weights and centi < kind.weights[0][0] * 100:
                wanted = 0.0
            assert schema.weight(schema.code_of[name], centi) * SCALE == math.floor(wanted * SCALE + 0.5) * schema.unit


@given(schemas())
def test_its_text_means_the_same_and_another_meaning_has_another_digest(schema: Schema) -> None:
    again = read_schema(schema.text(), "x")
    assert (again.digest, again.document.items) == (schema.digest, schema.document.items)
    assert (again.document.users, again.document.context) == (schema.document.users, schema.document.context)
    for more in ("[events.one_more]\nweight = 0.5\n", '[users.age]\ntype = "number"\n'):
        assert Schema(read_document(f"{schema.text()}\n{more}")).digest != schema.digest
    assert Schema(read_document(f'{schema.text()}\n[context.hour]\ntype = "number"\n')).digest == schema.digest


@given(st.data())
def test_what_is_undone_leaves_no_weight_under_any_schema(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    state = UserState(UserFeatures(USER))
    items: dict[int, ItemFeatures] = {}
    pairs: dict[int, Pairs] = {}
    log = data.draw(logs(schema))
    undos = [Event(f"u{at}", UNDO, USER, -1, 0, event.event_id, event.ts) for at, event in enumerate(log)]
    for n, event in enumerate([*log, *undos], start=1):
        known = undone_item(state, event) if event.kind == UNDO else event.item_id
        added = fold_user(state, event, None if known is None else CATALOGUE.get(known), n, schema).contribution
        if added is not None:
            item_id = added.item_id
            items[item_id] = fold_item(items.get(item_id) or ItemFeatures(item_id), added, schema)
            for one, ts, key, other, weight in slots_of(added):
                pairs.setdefault(one, Pairs(one)).fold(ts, key, other, weight)
    features = state.features
    assert (features.positives, features.negatives, features.sequence, features.recent) == (0, 0, [], [])
    assert [count for kind, count in enumerate(features.counts) if kind != UNDO and count] == []
    assert list(state.seen.items()) == []
    for item in items.values():
        assert (item.positives, item.negatives) == (0, 0)
        assert all(bucket[1:] == [0, 0, 0, 0] for bucket in item.days)
    assert all(each.neighbours().top == [] for each in pairs.values())


@given(st.data(), st.integers(0, 60))
def test_stopping_and_going_on_changes_nothing_under_any_schema(data: st.DataObject, stop: int) -> None:
    schema = data.draw(schemas())
    log = data.draw(logs(schema))
    whole, first = UserState(UserFeatures(USER)), UserState(UserFeatures(USER))
    for n, event in enumerate(log, start=1):
        apply(whole, event, n, schema)
    for n, event in enumerate(log[:stop], start=1):
        apply(first, event, n, schema)
    again = thaw_user(freeze_user(first))
    for n, event in enumerate(log[stop:], start=stop + 1):
        apply(again, event, n, schema)
    assert freeze_user(again) == freeze_user(whole)
    assert len(encode_features(whole.features)) <= 4_096
    told = [event.target for event in log if event.kind == PROFILE]
    assert whole.features.attributes in (told or [""])


def shop_log(*acts: tuple[str, int, int]) -> UserState:
    """A shop's user after (kind, item, minute) acts."""
    state = UserState(UserFeatures(USER))
    for n, (name, item_id, minute) in enumerate(acts, start=1):
        apply(state, Event(f"e{n}", SHOP.code_of[name], USER, item_id, 100, "", START + minute * 60_000), n, SHOP)
    return state


def test_a_purchase_counts_more_than_looking_and_looking_again_does_not_count() -> None:
    looked, bought = shop_log(("view", 1, 0)), shop_log(("purchase", 1, 0))
    assert (looked.features.positives, bought.features.positives) == (1, 8)
    twice = shop_log(("view", 1, 0), ("view", 1, 1))
    assert (twice.features.positives, twice.features.counts[VIEW], len(twice.features.sequence)) == (1, 2, 1)
    assert twice.features.tastes == {
        name: [START, *taste[1:]] for name, taste in looked.features.tastes.items()
    }  # the time of a taste, too, is that of what counted
    again = shop_log(("purchase", 1, 0), ("purchase", 1, 1))
    assert again.features.positives == 16


def test_what_is_bought_is_hidden_for_a_week_and_what_is_disliked_for_good() -> None:
    state = shop_log(("view", 1, 0), ("purchase", 2, 0), ("purchase", 2, 60), ("dislike", 3, 0))
    assert [(item, until) for item, _, until in state.seen.items()] == [
        (2, START + 3_600_000 + 7 * DAY_MS),
        (3, FOREVER),
    ]
    undo = Event("u", UNDO, USER, -1, 0, "e3", START + 9_000_000)
    apply(state, undo, 9, SHOP)
    assert next(until for item, _, until in state.seen.items() if item == 2) == START + 7 * DAY_MS


@pytest.mark.parametrize("name", ["news", "video", "shop", "movies"])
def test_every_preset_has_something_to_learn_from_clicks_or_says_that_it_has_not(name: str) -> None:
    schema = preset_schema(name)
    assert schema.is_interest(CLICK, 0)
    assert (schema.weight(CLICK, 0) > 0) == (name != "movies")


def test_a_profile_is_a_kind_where_users_have_attributes_alone() -> None:
    assert MOVIES.digest == "667ceea01fb93be4"
    assert "profile" not in MOVIES.names()
    people = peopled("shop")
    assert people.code_of["profile"] == PROFILE == len(KINDS) + 16
    assert people.kinds == SHOP.kinds
    assert people.kind(PROFILE).name == "profile"
    assert not is_act(PROFILE)
    assert is_act(PROFILE - 1)
