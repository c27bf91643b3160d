"""Heads of shown lists, whole lists of before, and samples: golden bytes, what is refused and how the refusal reads, old reads
new, new reads old."""

import json
from typing import Any

import msgspec
import pytest

from features.contracts.samples import (
    MAX_ACTIONS,
    SAMPLE_LIMIT,
    Action,
    Forgotten,
    Sample,
    SampleReference,
    action_of,
    read_sample,
    write_forgotten,
    write_sample,
)
from features.contracts.served import (
    MAX_CANDIDATES,
    MAX_SLATE,
    SERVED_LIMIT,
    Served,
    ServedCandidates,
    ServedFeatures,
    ServedHead,
    ServedItem,
    read_served,
    read_served_list,
    write_head,
)
from features.errors import BadEvent
from features.inputs.model_inputs import layout
from features.types import CLICK, KINDS, MAX_ID, RATING, UNDO, Event
from tests.schemas import MOVIES, SHOP

LIST = Served(
    request_id="r1",
    user_id=6,
    ts=889_237_352_752,
    at=889_237_352_752,
    model="widedeep",
    model_version=3,
    items=(
        ServedItem(190, 0, 0.5, ("genre", "popular")),
        ServedItem(7, 1, 0.25, ("similar",), 0.125),
    ),
    candidates=ServedCandidates(("similar", "genre", "popular"), [7, 190, 12], [1, 6, 4], [0.25, 0.5, 0.125]),
    features=ServedFeatures("8d21", [0.5, 1.0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.0], [-0.5]]),
    degraded=("no live features",),
)
GOLDEN = (
    b'{"request_id":"r1","user_id":6,"ts":889237352752,"at":889237352752,"model":"widedeep","model_version":3,'
    b'"items":[{"item_id":190,"position":0,"score":0.5,"channels":["genre","popular"],"propensity":1.0},'
    b'{"item_id":7,"position":1,"score":0.25,"channels":["similar"],"propensity":0.125}],'
    b'"candidates":{"channels":["similar","genre","popular"],"item_id":[7,190,12],"channel":[1,6,4],'
    b'"score":[0.25,0.5,0.125]},'
    b'"features":{"layout":"8d21","user":[0.5,1.0],"items":[[1.0,2.0,3.0],[4.0,5.0,6.0]],"cross":[[0.0],[-0.5]]},'
    b'"degraded":["no live features"]}'
)
ACTIONS = (
    Action("e1", "click", 889_237_353_000, 7, position=1),
    Action("e2", "rating", 889_237_354_000, 7, 4.5, position=1),
    Action("e3", "undo", 889_237_355_000, target="e2"),
)
GOLDEN_HEAD = b'{"request_id":"r1","user_id":6,"ts":889237352752,"item_ids":[190,7],"shown":41,"arms":{"order":"new"}}'
GOLDEN_ACTIONS = (
    b'"actions":[{"event_id":"e1","type":"click","ts":889237353000,"item_id":7,"position":1},'
    b'{"event_id":"e2","type":"rating","ts":889237354000,"item_id":7,"rating":4.5,"position":1},'
    b'{"event_id":"e3","type":"undo","ts":889237355000,"target":"e2"}],"closed_ts":889239152752}'
)
GOLDEN_SAMPLE = b'{"request_id":"r1","user_id":6,"served":17,"shown":41,' + GOLDEN_ACTIONS
OLD_SAMPLE = b'{"request_id":"r1","user_id":6,"served":' + GOLDEN + b"," + GOLDEN_ACTIONS
CLOSED = 889_239_152_752
IDS = MOVIES.ids


def read_head(value: bytes) -> ServedHead:
    return read_served(value, IDS)


READERS = (read_head, read_served_list)


def changed(path: str, value: object, golden: bytes = GOLDEN) -> bytes:
    """The golden JSON with one place set; a value of ... takes the place away."""
    whole = json.loads(golden)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    there: Any = whole
    for part in way:
        there = there[part]
    if value is ...:
        del there[last]
    else:
        there[last] = value
    return json.dumps(whole).encode()


def test_golden_bytes_of_a_head() -> None:
    assert write_head("r1", 6, 889_237_352_752, [190, 7], {"order": "new"}, 41) == GOLDEN_HEAD
    assert read_served(GOLDEN_HEAD, IDS) == ServedHead("r1", 6, 889_237_352_752, (190, 7), 6, 41)


def test_a_head_may_name_no_items_no_record_and_a_user_of_another_script() -> None:
    value = write_head("r1", "café", 5, [], {}, None)
    assert value == '{"request_id":"r1","user_id":"café","ts":5,"item_ids":[]}'.encode()
    assert read_served(value, IDS) == ServedHead("r1", IDS.inside("café"), 5, (), "café", None)


def test_whole_lists_of_before_are_read() -> None:
    assert read_served_list(GOLDEN) == LIST
    assert read_served(GOLDEN, IDS) == ServedHead("r1", 6, 889_237_352_752, (190, 7), 6)
    with pytest.raises(BadEvent):
        read_served_list(GOLDEN_HEAD)


def test_golden_bytes_of_a_sample() -> None:
    assert write_sample("r1", 6, 17, 41, ACTIONS, CLOSED) == GOLDEN_SAMPLE
    reference = SampleReference(request_id="r1", user_id=6, served=17, shown=41, actions=ACTIONS, closed_ts=CLOSED)
    assert read_sample(GOLDEN_SAMPLE) == reference
    assert reference.with_list(LIST) == Sample("r1", 6, LIST, ACTIONS, CLOSED)
    with pytest.raises(BadEvent, match="served: expected the list r1 of user 6"):
        reference.with_list(msgspec.structs.replace(LIST, request_id="r2"))
    assert read_sample(OLD_SAMPLE) == Sample("r1", 6, LIST, ACTIONS, CLOSED)


def test_golden_bytes_of_a_wish_to_be_forgotten() -> None:
    assert write_forgotten("Ada", 5, 4) == b'{"user_id":"Ada","forgotten_ts":5,"until":4}'
    assert read_sample(b'{"user_id":"Ada","forgotten_ts":5}') == Forgotten(user_id="Ada", forgotten_ts=5)


def test_a_list_of_the_last_rung_has_no_model_and_no_features() -> None:
    bare = msgspec.structs.replace(LIST, model=None, model_version=None, features=None)
    assert read_served_list(msgspec.json.encode(bare)) == bare
    empty = msgspec.structs.replace(
        bare, items=(), candidates=ServedCandidates(("similar", "genre", "popular"), [], [], [])
    )
    assert read_served_list(msgspec.json.encode(empty)) == empty
    assert read_served(msgspec.json.encode(empty), IDS).item_ids == ()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("path", ["new", "items.0.new", "candidates.new", "features.new"])
def test_unknown_fields_are_ignored(read: Any, path: str) -> None:
    assert read(changed(path, {"deep": [1, "x", None]})) == read(GOLDEN)


def test_the_readers_take_a_list_that_lacks_what_has_a_default() -> None:
    for path in ("features", "degraded", "items.0.propensity", "features.cross"):
        assert read_served_list(changed(path, ...)).request_id == "r1"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("request_id", ..., "request_id"),
        ("request_id", "", "request_id"),
        ("request_id", "x" * 65, "request_id"),
        ("request_id", 7, "request_id"),
        ("user_id", ..., "user_id"),
        ("user_id", -1, "user_id"),
        ("user_id", 2**63, "user_id"),
        ("user_id", "", "user_id"),
        ("user_id", "x" * 129, "user_id"),
        ("user_id", True, "user_id"),
        ("ts", ..., "ts"),
        ("ts", 1.5, "ts"),
        ("ts", -1, "ts"),
        ("items", None, "items"),
        ("items", [{"item_id": n, "position": n, "score": 0, "channels": []} for n in range(MAX_SLATE + 1)], "items"),
        ("items.1.item_id", ..., "items[1].item_id"),
        ("items.1.item_id", -1, "items[1].item_id"),
        ("items.1.item_id", "7", "items[1].item_id"),
        ("items.1.item_id", 190, "items"),
    ],
)
def test_a_refusal_names_the_field(read: Any, path: str, value: object, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        read(changed(path, value))
    assert refused.value.where == field
    assert str(refused.value).startswith(f"{field}: expected ")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("item_ids", ..., "item_ids"),
        ("item_ids", [7, -1], "item_ids[1]"),
        ("item_ids", [7, 7], "item_ids"),
        ("item_ids", list(range(MAX_SLATE + 1)), "item_ids"),
        ("shown", -1, "shown"),
        ("arms", {"order": 1}, "arms[...]"),
    ],
)
def test_a_refused_head_names_the_field(path: str, value: object, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        read_head(changed(path, value, GOLDEN_HEAD))
    assert refused.value.where == field


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("at", -1, "at"),
        ("model", "", "model"),
        ("model_version", "3", "model_version"),
        ("items.0.position", -1, "items[0].position"),
        ("items.0.position", 1, "items[1].position"),
        ("items.0.score", None, "items[0].score"),
        ("items.0.propensity", 1.5, "items[0].propensity"),
        ("items.0.channels", "genre", "items[0].channels"),
        ("candidates", None, "candidates"),
        ("candidates.item_id", list(range(MAX_CANDIDATES + 1)), "candidates.item_id"),
        ("candidates.score", [0.5], "candidates.score"),
        ("candidates.channel", [1, 2], "candidates.channel"),
        ("candidates.channel", [1, 2, 8], "candidates.channel"),
        ("features.layout", ..., "features.layout"),
        ("features.items", [[1.0, 2.0, 3.0]], "features.items"),
        ("features.items", [[1.0, 2.0], [1.0]], "features.items[1]"),
        ("features.cross", [[1.0]], "features.cross"),
        ("features.user.0", "much", "features.user[0]"),
    ],
)
def test_the_full_reader_refuses_more(path: str, value: object, field: str) -> None:
    value_bytes = changed(path, value)
    assert read_served(value_bytes, IDS).request_id == "r1"
    with pytest.raises(BadEvent) as refused:
        read_served_list(value_bytes)
    assert refused.value.where == field


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b'{"new":' + b"[" * 60_000 + b"]" * 60_000 + b"," + GOLDEN[1:],
        GOLDEN[:-1],
        GOLDEN + b"}",
        GOLDEN.replace(b"widedeep", b"wide\xffdeep"),
        GOLDEN.replace(b'"score":0.5', b'"score":NaN'),
        GOLDEN.replace(b"[0.5,1.0]", b"[0.5,,1.0]"),
    ],
)
@pytest.mark.parametrize("read", [*READERS, read_sample])
def test_garbage_is_a_bad_event_and_nothing_else(read: Any, garbage: bytes) -> None:
    with pytest.raises(BadEvent):
        read(garbage)


def test_a_value_has_a_limit() -> None:
    for read in READERS:
        with pytest.raises(BadEvent, match="at most"):
            read(GOLDEN + b" " * SERVED_LIMIT)
    with pytest.raises(BadEvent, match="at most"):
        read_sample(GOLDEN_SAMPLE + b" " * SAMPLE_LIMIT)


def test_the_largest_head_and_the_largest_sample_fit() -> None:
    name = "\x01" * 64  # six bytes a character in JSON
    ids = [MAX_ID - n for n in range(MAX_SLATE)]
    head = write_head(name, "\U0001f600" * 128, MAX_ID, ids, {f"{n:02}{name[2:]}": name for n in range(20)}, MAX_ID)
    assert read_served(head, IDS).item_ids == tuple(ids)
    action = Action(name, "undo", MAX_ID, target=name, position=MAX_ID)
    sample = write_sample(name, MAX_ID, MAX_ID, MAX_ID, [action] * (MAX_ACTIONS + 1), MAX_ID)
    assert len(sample) < SAMPLE_LIMIT - 1000
    read = read_sample(sample)
    assert isinstance(read, SampleReference)
    assert len(read.actions) == MAX_ACTIONS


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("request_id", "r2", "served"),
        ("user_id", 7, "served"),
        ("served", ..., "served"),
        ("served.ts", -1, "served.ts"),
        ("served.items.0.item_id", ..., "served.items[0].item_id"),
        ("actions.0.type", "", "actions[0].type"),
        ("actions.0.event_id", ..., "actions[0].event_id"),
        ("actions.1.rating", 9, "actions[1].rating"),
        ("closed_ts", ..., "closed_ts"),
    ],
)
def test_a_bad_sample_is_refused_by_field(path: str, value: object, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        read_sample(changed(path, value, OLD_SAMPLE))
    assert refused.value.where == field


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("request_id", ..., "request_id"),
        ("served", ..., "served"),
        ("served", -1, "served"),
        ("shown", "41", "shown"),
        ("actions.0.type", "", "actions[0].type"),
        ("closed_ts", ..., "closed_ts"),
        ("forgotten_ts", -1, "forgotten_ts"),
    ],
)
def test_a_bad_reference_is_refused_by_field(path: str, value: object, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        read_sample(changed(path, value, GOLDEN_SAMPLE))
    assert refused.value.where == field


def test_unknown_fields_of_a_sample_are_ignored() -> None:
    for path in ("new", "actions.0.new", "served.new"):
        assert read_sample(changed(path, [1], OLD_SAMPLE)) == read_sample(OLD_SAMPLE)
    for path in ("new", "actions.0.new"):
        assert read_sample(changed(path, [1], GOLDEN_SAMPLE)) == read_sample(GOLDEN_SAMPLE)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_an_action_keeps_what_its_event_says(kind: int) -> None:
    event = Event(
        "e", kind, 6, 7 if kind < UNDO else -1, 450 if kind == RATING else 0, "t" if kind == UNDO else "", 5, "r1", 2
    )
    read = read_sample(write_sample("r1", 6, 0, None, [action_of(event, MOVIES)], CLOSED))
    assert isinstance(read, SampleReference)
    (action,) = read.actions
    fields: dict[str, object] = {"event_id": "e", "type": KINDS[kind], "ts": 5, "position": 2}
    fields |= {"item_id": 7} if kind < UNDO else {}
    fields |= {"rating": 4.5} if kind == RATING else {}
    fields |= {"target": "t"} if kind == UNDO else {}
    assert msgspec.to_builtins(action) == fields


def test_an_event_without_a_position_is_an_action_without_one() -> None:
    assert action_of(Event("e", CLICK, 6, 7, 0, "", 5, "r1"), MOVIES) == Action("e", "click", 5, 7)


def test_the_layout_names_the_meaning_of_the_columns() -> None:
    assert layout(("Comedy", "Drama"), "5f3b") == "82e587ae1e799a68"
    assert len({layout(values, "5f3b") for values in ((), ("Comedy",), ("Comedy", "Drama"), ("Drama", "Comedy"))}) == 4
    assert layout((), MOVIES.digest) != layout((), SHOP.digest), "lists under another schema teach something else"
