"""The event contract: what is taken, what is refused, and how the refusal reads."""

import json

import pytest
from hypothesis import given

from features.contracts.events import MAX_PROFILE, check_time, read_event, write_event
from features.errors import BadEvent
from features.schema.tables import preset_schema
from features.types import NO_ID, PROFILE, RATING, Event
from features.units import DAY_MS
from tests.features.strategies import events
from tests.schemas import MOVIES, SHOP, peopled

GOOD = {"event_id": "x", "type": "rating", "user_id": 6, "item_id": 3, "rating": 4.5, "ts": 1000}
PEOPLED = peopled("movies")
PROFILED = {"event_id": "p", "type": "profile", "user_id": 6, "ts": 1000, "attributes": {"plan": "paid"}}


@given(events())
def test_what_is_written_is_read_again(event: Event) -> None:
    assert read_event(write_event(event, MOVIES), MOVIES) == event


@given(events(PEOPLED))
def test_so_are_profiles_and_contexts(event: Event) -> None:
    assert read_event(write_event(event, PEOPLED), PEOPLED) == event


def test_unknown_fields_are_ignored() -> None:
    assert read_event(json.dumps(GOOD | {"new": {"deep": [1]}}).encode(), MOVIES).centi == 450


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "buy"}, "type"),
        ({"user_id": -1}, "user_id"),
        ({"user_id": 2**63}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "a\nb"}, "user_id"),
        ({"item_id": "x" * 129}, "item_id"),
        ({"item_id": "\x00"}, "item_id"),
        ({"user_id": True}, "user_id"),
        ({"user_id": 6.5}, "user_id"),
        ({"item_id": None}, "item_id"),
        ({"rating": 0}, "rating"),
        ({"rating": 5.5}, "rating"),
        ({"rating": "4"}, "rating"),
        ({"ts": -5}, "ts"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 65}, "event_id"),
        ({"target": "y"}, "target"),
        ({"type": "click"}, "rating"),
        ({"type": "undo", "rating": None}, "rating"),
        ({"position": -1}, "position"),
    ],
)
def test_a_refusal_names_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadEvent) as refusal:
        read_event(json.dumps(GOOD | change).encode(), MOVIES)
    assert refusal.value.where == field
    assert str(refusal.value).startswith(f"{field}: expected ")


@pytest.mark.parametrize("missing", ["event_id", "type", "user_id", "item_id", "rating", "ts"])
def test_a_missing_field_is_named(missing: str) -> None:
    with pytest.raises(BadEvent) as refusal:
        read_event(json.dumps({key: value for key, value in GOOD.items() if key != missing}).encode(), MOVIES)
    assert refusal.value.where == missing


def test_undo_and_forget_take_no_item() -> None:
    undo = {"event_id": "u", "type": "undo", "user_id": 6, "ts": 1, "target": "x"}
    assert read_event(json.dumps(undo).encode(), MOVIES).target == "x"
    for wrong in (
        undo | {"item_id": 3},
        {**undo, "target": None},
        {"event_id": "f", "type": "forget_user", "user_id": 6, "ts": 1, "item_id": 1},
    ):
        with pytest.raises(BadEvent):
            read_event(json.dumps(wrong).encode(), MOVIES)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\xfe", b"{", b"null", b"[]", b"3", b'"x"', b'{"rating": NaN}', b"[" * 100_000, b'{"a":"\xff"}'],
)
def test_garbage_is_a_bad_event_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(BadEvent):
        read_event(garbage, MOVIES)


@pytest.mark.parametrize("bracket", ["[]", "{}"])
def test_an_unknown_field_may_nest_and_one_too_deep_is_a_bad_event_for_every_caller(bracket: str) -> None:
    """Not an error of the reader's: one such record in the log would stop the job each time it is read."""
    opened, closed = ('{"a":' if bracket == "{}" else "["), bracket[1]

    def nested(depth: int) -> bytes:
        return json.dumps(GOOD)[:-1].encode() + f', "new": {opened * depth}1{closed * depth}}}'.encode()

    def read_from_below(frames: int, value: bytes) -> Event:
        return read_from_below(frames - 1, value) if frames else read_event(value, MOVIES)

    assert read_event(nested(499), MOVIES).event_id == "x"
    assert read_from_below(200, nested(499)).event_id == "x"
    for depth in (500, 800, 100_000):
        with pytest.raises(BadEvent, match="event: expected at most 500 brackets"):
            read_event(nested(depth), MOVIES)
    wide = json.dumps(GOOD | {"new": [[], {"[": "[[[\\"}] * 5000}).encode()
    assert read_event(wide, MOVIES).event_id == "x"


def test_the_future_is_refused_by_wall_time_and_by_the_clock() -> None:
    check_time(1_000_000, wall=940_000, clock=0)
    with pytest.raises(BadEvent, match="wall time"):
        check_time(1_000_000, wall=939_999, clock=0)
    check_time(DAY_MS + 5, wall=9 * DAY_MS, clock=5)
    with pytest.raises(BadEvent, match="this home's clock \\(4\\)"):
        check_time(DAY_MS + 5, wall=9 * DAY_MS, clock=4)


def test_an_undo_names_what_it_takes_back() -> None:
    undo = {"event_id": "u", "type": "undo", "user_id": 6, "ts": 1000}
    assert read_event(json.dumps(undo | {"target": "x"}).encode(), MOVIES).target == "x"
    with pytest.raises(BadEvent, match="target: expected the event_id to take back, got nothing"):
        read_event(json.dumps(undo).encode(), MOVIES)


def test_what_an_event_answers_is_written_and_read_again() -> None:
    event = Event("x", RATING, 6, 3, 450, "", 1000, "request", 7)
    assert read_event(write_event(event, MOVIES), MOVIES) == event
    assert read_event(write_event(event._replace(position=0), MOVIES), MOVIES).position == 0


def test_ratings_are_kept_in_hundredths() -> None:
    for rating, centi in ((0.5, 50), (3.7, 370), (5, 500), (4.99, 499), (4.35, 435), (2.675, 268)):
        assert read_event(json.dumps(GOOD | {"rating": rating}).encode(), MOVIES) == Event(
            "x", RATING, 6, 3, centi, "", 1000
        )


def shop_event(**fields: object) -> bytes:
    return json.dumps({"event_id": "x", "user_id": 6, "item_id": 3, "ts": 1000, **fields}).encode()


def test_a_schemas_own_kinds_carry_their_values_in_hundredths() -> None:
    bought = read_event(shop_event(type="purchase", value=12.345), SHOP)
    assert (bought.kind, bought.centi) == (SHOP.code_of["purchase"], 1235)
    assert read_event(write_event(bought, SHOP), SHOP) == bought
    assert read_event(shop_event(type="purchase"), SHOP).centi == 0
    assert read_event(shop_event(type="rating", rating=4.5), SHOP).centi == 450


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"type": "buy"},
            "type: expected one of impression, click, view, rating, like, dislike, undo, forget_user, add_to_cart",
        ),
        ({"type": "purchase", "value": -1}, r"value: expected a number from 0 to 1e\+09, got -1"),
        ({"type": "purchase", "value": 2e9}, r"value: expected a number from 0 to 1e\+09"),
        ({"type": "purchase", "rating": 3}, "rating: expected no rating with purchase, but value"),
        ({"type": "rating", "value": 3}, "value: expected no value with rating, but rating, got 3"),
        ({"type": "click", "value": 3}, "value: expected no value with click, got 3"),
        ({"type": "rating"}, "rating: expected a number from 0.5 to 5, got nothing"),
    ],
)
def test_what_a_schema_does_not_know_is_refused(fields: dict[str, object], told: str) -> None:
    with pytest.raises(BadEvent, match=told):
        read_event(shop_event(**fields), SHOP)


def test_a_value_that_the_weight_goes_by_is_required() -> None:
    with pytest.raises(BadEvent, match="value: expected a number from 0 to 1e\\+07, got nothing"):
        read_event(shop_event(type="read"), preset_schema("news"))


def read(fields: dict[str, object]) -> Event:
    return read_event(json.dumps(fields).encode(), PEOPLED)


def test_a_profile_carries_its_attributes_in_the_order_of_the_schema() -> None:
    given = {"born": 1980, "about": "", "interests": ["tea", "rain", "tea"], "plan": "paid", "joined": None}
    event = read(PROFILED | {"attributes": given})
    assert (event.kind, event.item_id) == (PROFILE, NO_ID)
    assert event.target == '{"plan":"paid","interests":["tea","rain"],"born":1980,"about":""}'
    assert read(PROFILED | {"attributes": {}}).target == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"attributes": {"plan": 3}}, "attributes.plan: expected a string of 1 to 128 printable characters, got 3"),
        ({"attributes": {"plan": ["paid"]}}, "attributes.plan: expected a string"),
        ({"attributes": {"interests": ["a", 3]}}, "attributes.interests[1]: expected a string"),
        ({"attributes": {"interests": [str(at) for at in range(65)]}}, "attributes.interests: expected at most 64"),
        ({"attributes": {"born": "1980"}}, "attributes.born: expected a number"),
        ({"attributes": {"insider": 1}}, "attributes.insider: expected true or false, got 1"),
        (
            {"attributes": {"colour": "red"}},
            "attributes.colour: expected one of plan, interests, born, joined, insider",
        ),
        ({"attributes": "paid"}, "attributes: expected an object, got 'paid'"),
        ({"attributes": {"about": "x" * 10_001}}, "attributes.about: expected a text of at most 10000 characters"),
        (
            {"attributes": {"about": "ä" * 5_000}},
            f"attributes: expected at most {MAX_PROFILE} bytes as JSON, got 10012",
        ),
        ({"item_id": 3}, "item_id: expected no item_id with profile, got 3"),
        ({"target": "x"}, "target: expected no target with profile, got 'x'"),
        ({"value": 3}, "value: expected no value with profile"),
        ({"request_id": "r"}, "request_id: expected no request_id with profile, got r"),
        ({"position": 0}, "position: expected no position with profile, got 0"),
        ({"context": {"hour": "noon"}}, "context.hour: expected a number"),
        ({"ts": None}, "ts: expected"),
    ],
)
def test_a_wrong_profile_is_refused_by_field(change: dict[str, object], told: str) -> None:
    with pytest.raises(BadEvent) as refusal:
        read(PROFILED | change)
    assert str(refusal.value).startswith(told)


def test_a_profile_says_all_attributes_and_is_known_where_users_have_some_alone() -> None:
    with pytest.raises(BadEvent, match=r"attributes: expected all attributes of the user, \{\} for none, got nothing"):
        read({name: value for name, value in PROFILED.items() if name != "attributes"})
    with pytest.raises(BadEvent, match="type: expected one of"):
        read_event(json.dumps(PROFILED).encode(), MOVIES)


def test_a_context_is_checked_and_kept_where_the_schema_has_one() -> None:
    event = read(GOOD | {"context": {"logged_in": True, "device": "phone"}})
    assert event.context == '{"device":"phone","logged_in":true}'
    assert read(GOOD | {"context": {}}).context == ""
    for wrong in ({"device": ["phone"]}, {"device": 3}, {"weather": "rain"}, {"hour": True}, "phone", 3):
        with pytest.raises(BadEvent) as refusal:
            read(GOOD | {"context": wrong})
        assert refusal.value.where.startswith("context")


@pytest.mark.parametrize("anything", ["phone", 3, {"device": "phone"}, None])
def test_without_one_it_is_an_unknown_field(anything: object) -> None:
    event = read_event(json.dumps(GOOD | {"context": anything, "attributes": anything}).encode(), MOVIES)
    assert event == read_event(json.dumps(GOOD).encode(), MOVIES)


@pytest.mark.parametrize("odd", [b"1e999", b'{"hour": 1e999}'])
def test_what_no_schema_could_take_is_an_unknown_field_to_one_without(odd: bytes) -> None:
    """As it was before there was a context: an event of an old log stays the event that it was."""
    value = json.dumps(GOOD).encode()[:-1] + b', "context": ' + odd + b', "attributes": ' + odd + b"}"
    assert read_event(value, MOVIES) == read_event(json.dumps(GOOD).encode(), MOVIES)
    with pytest.raises(BadEvent):
        read_event(value, PEOPLED)


def test_attributes_are_a_profiles_alone() -> None:
    with pytest.raises(BadEvent, match="attributes: expected no attributes with rating, got some"):
        read(GOOD | {"attributes": {}})
