"""What is exported is taken again: the same events of each kind, the same items."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from examples.shop import draw_shop
from features.errors import BadInput
from features.ids import OuterId
from features.schema.declarations import AttributeType
from features.schema.tables import read_schema
from features.types import Event
from offline.datasets.dataset import event_of, open_dataset, whole_rows
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise
from offline.datasets.user_profiles import read_profiles
from offline.export_home import FORMATS, Format, export_home
from tests.schemas import SHOP, peopled

AT = 1_700_000_000_000
LAST_DATE = 253_402_300_799_999
"""The end of the year 9999."""


@pytest.mark.parametrize("form", FORMATS)
def test_a_round_trip(tmp_path: Path, form: Format) -> None:
    draw_shop(tmp_path / "shop", users=80, items=50, seed=5)
    first = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    shop = peopled("shop")
    said = ("", '{"device":"phone"}', '{"device":"tv","hour":7.5,"logged_in":true}')
    events = [
        event_of("shop", *row)._replace(context=said[at % 3]) for at, row in enumerate(whole_rows(first, 0, first.rows))
    ]
    known: dict[OuterId, dict[str, object]] = {
        7: {
            "plan": "paid",
            "interests": ["tea", "rain"],
            "born": 1980.5,
            "joined": AT,
            "insider": True,
            "about": "Ü\nß",
        },
        "zoë": {"plan": "free", "insider": False},
    }
    told: list[tuple[OuterId, str]] = [(user, shop.users.canonical(has, "")) for user, has in known.items()]
    kinds, items, users = export_home(events, first.items, shop, tmp_path / "again", form, told)
    assert (kinds, items, users) == (Counter(SHOP.kind(event.kind).name for event in events), 50, 2)
    proposal = propose(recognise([tmp_path / "again"]))
    assert proposal.kinds == kinds
    users_of_events = len({event.user_id for event in events})
    assert proposal.doubts == (
        f"{users_of_events} of {users_of_events} users in events are in no file of users",
        "the column about of users is left out: it holds texts, which name people",
    )
    schema = read_schema(proposal.schema, "schema.toml")
    assert list(schema.context.declared) == ["device"]
    second = open_dataset(str(tmp_path / "again"), tmp_path / "data", schema)
    assert second.items == first.items
    found = list(whole_rows(second, 0, second.rows))
    assert [row[:-1] for row in found] == [row[:-1] for row in whole_rows(first, 0, first.rows)]
    assert {row[-1] for row in found} == {"", '{"device":"phone"}', '{"device":"tv"}'}
    assert {name: (each.type, each.many) for name, each in schema.users.declared.items()} == {
        name: (each.type, each.many) for name, each in shop.users.declared.items() if name != "about"
    }
    by_its_own = open_dataset(str(tmp_path / "again"), tmp_path / "elsewhere", shop)
    expected = {shop.ids.inside(user): ("" if user == 7 else user, attributes) for user, attributes in told}
    assert read_profiles(by_its_own, shop) == expected
    again = [event_of("shop", *row).context for row in whole_rows(by_its_own, 0, by_its_own.rows)]
    assert again == [event.context for event in events]


@pytest.mark.parametrize("form", FORMATS)
def test_every_type_of_attribute_comes_back(tmp_path: Path, form: Format) -> None:
    declared = "".join(
        f'[items.{name}]\ntype = "{kind}"\n'
        for name, kind in (
            ("colour", "facet"),
            ("price", "number"),
            ("made_at", "time"),
            ("new", "flag"),
            ("location", "place"),
        )
    )
    declared += '[items.tags]\ntype = "facet"\nmany = true\n[items.look]\ntype = "vector"\nsize = 3\n'
    schema = read_schema(f"[events.click]\nweight = 1\n{declared}", "it")
    fields = {"colour": "red", "price": 9.5, "made_at": AT, "new": True, "location": [52.5, -13.25], "tags": ["a", "b"]}
    checked = [schema.items.check(fields | {"look": [0, 1, number]}) for number in (1, 2)]
    items = [schema.items.item(number, f"Item {number}", each) for number, each in enumerate(checked, 1)]
    events = [event_of("it", number, number, schema.code_of["click"], 0, AT + number) for number in (1, 2)]
    export_home(events, items, schema, tmp_path / "it", form)
    assert {each.type for each in schema.items.declared.values()} == {*get_args(AttributeType)} - {"text"}
    proposal = propose(recognise([tmp_path / "it"]))
    types = {
        name: (each.type, each.many, each.size)
        for name, each in read_schema(proposal.schema, "it").items.declared.items()
    }
    assert (
        types.items()
        >= {name: (each.type, each.many, each.size) for name, each in schema.items.declared.items()}.items()
    )
    assert open_dataset(str(tmp_path / "it"), tmp_path / "data", schema).items == items


AGAIN = """
[events.click]
weight = 1
[items.taste]
type = "facet"
[items.shelf]
type = "facet"
[items.mixed]
type = "facet"
many = true
[items.slogan]
type = "text"
[items.mark]
type = "vector"
size = 1
[items.first_seen]
type = "time"
[items.stock]
type = "number"
"""


@pytest.mark.parametrize("form", FORMATS)
def test_under_the_same_schema_items_come_back_as_they_were(tmp_path: Path, form: Format) -> None:
    schema = read_schema(AGAIN, "it").salted("00ff")
    everything = {
        "taste": "Salt|Pepper",
        "shelf": "007",
        "mixed": ["Salt|Pepper", "1"],
        "slogan": "again",
        "mark": [0.5],
        "first_seen": 86_400_001,
        "stock": 3,
    }
    items = [
        schema.items.item(1, "7", schema.items.check(everything), image_url="https://h/1.png", expires=AT),
        schema.items.item(2, "a|b", schema.items.check(everything | {"mark": [2]}), available=False, expires=5),
        schema.items.item(3, "null", schema.items.check({"slogan": "again", "first_seen": 253_402_300_799_999})),
    ]
    events = [event_of("it", number, number, schema.code_of["click"], 0, AT + number) for number in (1, 2)]
    export_home(events, items, schema, tmp_path / "it", form)
    text = (tmp_path / "it" / "schema.toml").read_text()
    assert "salt" not in text
    again = read_schema(text, "schema.toml")
    assert again.salted("00ff").document == schema.document
    assert open_dataset(str(tmp_path / "it"), tmp_path / "data", again).items == items


@pytest.mark.parametrize("form", FORMATS)
def test_ids_and_texts_come_back_with_the_blanks_around_them(tmp_path: Path, form: Format) -> None:
    schema = read_schema(AGAIN, "it").salted("00ff")
    fields = schema.items.check({"taste": " salty", "mixed": [" a", "a"], "slogan": "  hi  "})
    outer = ("a", " a", "a ")
    items = [schema.items.item(schema.ids.inside(name), f" {name}", fields, outer=name) for name in outer]
    click = schema.code_of["click"]
    events = [
        event_of("it", schema.ids.inside(user), schema.ids.inside(item), click, 0, AT, user, item)._replace(
            event_id=each
        )
        for user in outer
        for item in outer
        for each in (f"e{item}", f" e{item}")
    ]
    export_home(events, items, schema, tmp_path / "it", form)
    again = open_dataset(str(tmp_path / "it"), tmp_path / "data", schema)
    assert again.items == sorted(items, key=lambda item: item.item_id)
    assert Counter((row[5], row[6]) for row in whole_rows(again, 0, again.rows)) == dict.fromkeys(
        product(outer, outer), 2
    )


@pytest.mark.parametrize("form", FORMATS)
def test_each_attribute_comes_back_under_its_own_name(tmp_path: Path, form: Format) -> None:
    names = ("price", "price_", "a__b", "a_b", "x1y")
    declared = "".join(f'[items.{name}]\ntype = "number"\n' for name in names)
    schema = read_schema(f"[events.click]\nweight = 1\n{declared}", "it")
    fields = {name: at for at, name in enumerate(names)}
    items = [schema.items.item(at, "It", schema.items.check({name: at})) for name, at in fields.items()]
    export_home([event_of("it", 1, 2, schema.code_of["click"], 0, AT)], items, schema, tmp_path / "it", form)
    assert open_dataset(str(tmp_path / "it"), tmp_path / "data", schema).items == items


@pytest.mark.parametrize("form", FORMATS)
def test_events_of_the_first_years_come_back_at_their_times(tmp_path: Path, form: Format) -> None:
    """As numbers they would be seconds, or days such as 19700102."""
    click = SHOP.code_of["click"]
    times = [0, 5_000, 19_700_102, 8_640_000_000, 99_999_999_999, AT]
    export_home([event_of("it", 1, 2, click, 0, ts) for ts in times], [], SHOP, tmp_path / "it", form)
    again = open_dataset(str(tmp_path / "it"), tmp_path / "data", SHOP)
    assert [row[4] for row in whole_rows(again, 0, again.rows)] == times


@pytest.mark.parametrize("form", FORMATS)
def test_a_time_after_the_last_date_never_comes_back_as_an_early_one(tmp_path: Path, form: Format) -> None:
    schema = read_schema(AGAIN, "it")
    times = {1: LAST_DATE, 2: LAST_DATE + 1, 3: 2**53, 4: 2**63 - 1}
    items = [
        schema.items.item(number, "It", schema.items.check({"first_seen": at}), expires=at)
        for number, at in times.items()
    ]
    export_home([event_of("it", 1, 2, schema.code_of["click"], 0, AT)], items, schema, tmp_path / "it", form)
    again = open_dataset(str(tmp_path / "it"), tmp_path / "data", schema).items
    expected = list(times.values()) if form == "parquet" else [LAST_DATE] * 4
    assert [item.expires for item in again] == [item.values["first_seen"] for item in again] == expected


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_deleted_comes_back_out_of_all_lists(tmp_path: Path, form: Format) -> None:
    fields = SHOP.items.check({"category": ["toys"], "price": 9.5})
    recalled = SHOP.items.item(2, "A recalled toy", fields, deleted=True)
    events = [event_of("it", 1, 2, SHOP.code_of["click"], 0, AT)]
    assert export_home(events, [recalled], SHOP, tmp_path / "it", form)[1] == 1
    again = open_dataset(str(tmp_path / "it"), tmp_path / "data", SHOP)
    assert again.items == [replace(recalled, deleted=False, available=False)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "named", [{"reader": "facet"}, {"user": "facet", "date": "time"}, {"id": "facet", "name": "facet"}]
)
def test_attributes_may_be_called_as_columns_of_events_are(
    tmp_path: Path, form: Format, named: dict[str, AttributeType]
) -> None:
    declared = "".join(f'[items.{name}]\ntype = "{kind}"\n' for name, kind in named.items())
    schema = read_schema(f"[events.click]\nweight = 1\n{declared}", "it")
    fields = {name: AT if kind == "time" else "x" for name, kind in named.items()}
    items = [schema.items.item(number, f"Item {number}", schema.items.check(fields)) for number in (1, 2)]
    export_home([event_of("it", 1, 2, schema.code_of["click"], 0, AT)], items, schema, tmp_path / "it", form)
    again = open_dataset(str(tmp_path / "it"), tmp_path / "data", schema)
    assert (again.rows, again.items) == (1, items)


@pytest.mark.parametrize("form", FORMATS)
def test_a_home_without_events_comes_back_with_its_items_and_its_clock(tmp_path: Path, form: Format) -> None:
    items = [SHOP.items.item(1, "Hat", SHOP.items.check({"brand": "Acme"}))]
    export_home([], items, SHOP, tmp_path / "it", form, clock="wall")
    assert not (tmp_path / "it" / f"events.{form}").exists()
    again = open_dataset(str(tmp_path / "it"), tmp_path / "data", SHOP)
    assert (again.rows, again.items, again.clock) == (0, items, "wall")


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_said_of_what_is_taken_again(
    tmp_path: Path, form: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = peopled("shop")
    export_home([], [schema.items.item(1, "Hat", {})], schema, tmp_path / "it", form, [("7", '{"plan":"paid"}')])
    dataset = open_dataset(str(tmp_path / "it"), tmp_path / "data", schema)
    assert capsys.readouterr().out == ""
    assert read_profiles(dataset, schema) == {7: ("", '{"plan":"paid"}')}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(BadInput, match=r"--to: expected a new or empty folder, got .*, which holds mine"):
        export_home([], [], SHOP, tmp_path, "parquet")
    assert export_home([], [], SHOP, tmp_path / "new", "ndjson") == (Counter(), 0, 0)
    assert not (tmp_path / "new" / "users.ndjson").exists(), "of a schema whose users have no attributes"


def test_an_empty_folder_stays_the_one_that_it_is_and_what_lies_beside_it_is_left_alone(tmp_path: Path) -> None:
    """A disk may be mounted there: it can't be replaced, and what is beside it is on another one."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "mine").write_text("x")
    handle = os.open(tmp_path / "out", os.O_RDONLY)  # as long as it is open, no other folder has its number
    export_home([], [], SHOP, tmp_path / "out", "ndjson")
    assert os.path.samestat(os.fstat(handle), os.stat(tmp_path / "out"))
    os.close(handle)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dataset.toml", "schema.toml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.tmp"]
    assert (tmp_path / "out.tmp" / "mine").read_text() == "x"


def breaking_off() -> Iterator[Event]:
    """Events of a log that does not come whole."""
    yield event_of("shop", 1, 1, SHOP.code_of["click"], 0, AT)
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["empty", "new", "new/with/parents"])
def test_one_that_is_broken_off_leaves_all_as_it_was(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "new.tmp").mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_home(breaking_off(), [], SHOP, tmp_path / name, "parquet")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "new.tmp"]


TOLD: dict[str, dict[str, object]] = {
    "7": {"plan": "paid"},
    "Zoë": {"interests": ["tea", "rain"], "born": 1980.5, "joined": 10**12, "insider": True, "about": "Ü\n"},
}


@pytest.mark.parametrize("form", FORMATS)
def test_users_are_written_with_their_attributes(tmp_path: Path, form: Format) -> None:
    schema = peopled("shop")
    users = [(name, schema.users.canonical(fields, "attributes")) for name, fields in TOLD.items()]
    assert export_home([], [], schema, tmp_path / "out", form, users)[2] == 2
    if form == "ndjson":
        rows = [json.loads(line) for line in (tmp_path / "out" / "users.ndjson").read_text().splitlines()]
    else:
        rows = pq.read_table(tmp_path / "out" / "users.parquet").to_pylist()
    assert [list(row) for row in rows] == [["user_id", *schema.users.declared]] * 2
    for row in rows:
        joined = row["joined"]
        row["joined"] = joined and int(datetime.fromisoformat(str(joined)).timestamp() * 1000)
    assert {row["user_id"]: {name: row[name] for name in TOLD[row["user_id"]]} for row in rows} == TOLD
    assert rows[0]["interests"] is None
