"""The topic of items: golden bytes, and what is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.items import (
    ITEM_LIMIT,
    change_item,
    compile_item,
    id_of,
    read_item,
    read_object,
    write_item,
)
from features.errors import BadEvent, BadInput
from features.schema.document import read_document
from features.schema.tables import Schema, read_schema
from features.types import MAX_ID, Item
from tests.schemas import MOVIES, SHOP, film

FILMS = MOVIES.items
HEAT = film(7, "Heat", ("Crime", "Action"), 1995, ts=889_000_000_000)
GOLDEN = b'{"item_id":7,"title":"Heat","genres":["Crime","Action"],"year":1995,"ts":889000000000}'
GIFTS = Schema(
    read_document("""
[events.click]
weight = 1
[items.colour]
type = "facet"
[items.tags]
type = "facet"
many = true
[items.price]
type = "number"
bands = [0, 20]
[items.made]
type = "time"
[items.fragile]
type = "flag"
[items.story]
type = "text"
[items.face]
type = "vector"
size = 3
[items.home]
type = "place"
""")
)
EVERYTHING = GIFTS.items
GIFT: dict[str, Any] = {
    "title": "A gift",
    "image_url": "https://shop.example/gift.png",
    "available": False,
    "expires": 900_000_000_000,
    "colour": "red",
    "tags": ["new", "wood", "new"],
    "price": 19.5,
    "made": 889_000_000_000,
    "fragile": True,
    "story": "Once upon a time",
    "face": [0.5, -1, 3],
    "home": [52.5, 13.4],
}


def test_golden_bytes_both_ways() -> None:
    assert write_item(HEAT, FILMS) == GOLDEN
    assert read_item(GOLDEN, MOVIES) == HEAT
    gift = compile_item(8, GIFT, 889_000_000_001, EVERYTHING)
    assert write_item(gift, EVERYTHING) == (
        b'{"item_id":8,"title":"A gift","colour":"red","tags":["new","wood"],"price":19.5,"made":889000000000,"fragile":true,'
        b'"story":"Once upon a time","face":[0.5,-1.0,3.0],"home":[52.5,13.4],"image_url":"https://shop.example/gift.png",'
        b'"available":false,"expires":900000000000,"ts":889000000001}'
    )
    assert read_item(write_item(gift, EVERYTHING), GIFTS) == gift


def test_old_reads_new_and_new_reads_old() -> None:
    assert read_item(b'{"item_id":7,"title":"Heat","poster":"x"}', MOVIES) == film(7, "Heat")
    assert read_item(GOLDEN, SHOP) == Item(7, "Heat", ts=889_000_000_000)
    changed = read_schema(
        '[events.click]\nweight = 1\n[items.genres]\ntype = "facet"\n[items.year]\ntype = "number"\n', "x"
    )
    assert read_item(GOLDEN, changed).values == {"year": 1995}
    assert read_item(GOLDEN, changed).facets == {}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (b'{"title":"x"}', "item_id"),
        (b'{"item_id":7}', "title"),
        (b'{"item_id":-1,"title":"x"}', "item_id"),
        (b'{"item_id":7,"title":""}', "title"),
        (b'{"item_id":7,"title":"x","available":1}', "available"),
        (b"[]", "item"),
        (b"\xff", "item"),
    ],
)
def test_what_is_wrong_is_named(value: bytes, where: str) -> None:
    with pytest.raises(BadEvent, match=f"^{where}: expected"):
        read_item(value, MOVIES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_g": 3}, "weight_g: expected one of colour, tags, price, made"),
        ({"colour": ["red"]}, "colour: expected a string of 1 to 128 printable characters, got 1 values"),
        ({"colour": "x" * 129}, "colour: expected a string of 1 to 128 printable characters, got 'xxxxxxxx"),
        (
            {"colour": "a\nb"},
            "colour: expected a string of 1 to 128 printable characters, got a control character ('\\n') at 1",
        ),
        ({"colour": "a\u2028b"}, "colour: expected a string of 1 to 128 printable characters, got a line separator"),
        ({"tags": [str(at) for at in range(1_000)]}, "tags: expected at most 64 strings, got 1000 values"),
        ({"tags": ["a", ""]}, "tags[1]: expected a string of 1 to 128 printable characters, got ''"),
        ({"price": "19"}, "price: expected a number from -1e+15 to 1e+15, got '19'"),
        ({"price": True}, "price: expected a number from -1e+15 to 1e+15, got true"),
        ({"price": float("nan")}, "price: expected a number from -1e+15 to 1e+15, got nan"),
        ({"price": 10**400}, "price: expected a number from -1e+15 to 1e+15, got 1000000"),
        ({"made": 1.5}, "made: expected a time: whole milliseconds since 1970, got 1.5"),
        ({"made": -1}, "made: expected a time: whole milliseconds since 1970, got -1"),
        ({"fragile": "yes"}, "fragile: expected true or false, got 'yes'"),
        ({"story": "x" * 10_000_000}, "story: expected a text of at most 10000 characters, got 'xxxxx"),
        ({"face": [0.5, 1]}, "face: expected 3 numbers, got 2 values"),
        ({"face": [0.5, 1, float("inf")]}, "face[2]: expected a number from -1e+15 to 1e+15, got inf"),
        ({"home": [91, 0]}, "home: expected [latitude, longitude]: -90 to 90, -180 to 180, got [91.0, 0.0]"),
        ({"home": {"lat": 1}}, "home: expected [latitude, longitude]: -90 to 90, -180 to 180, got an object"),
        ({"title": "x" * 501}, "title: expected `str` of length <= 500"),
        ({"title": None}, "title: expected a value, got nothing"),
        ({"expires": "soon"}, "expires: expected `int`, got `str`"),
        ({"image_url": "javascript:alert(1)"}, "image_url: expected `str` matching regex"),
        ({"image_url": "https://h/a.png\n"}, "image_url: expected `str` matching regex"),
        ({"image_url": "https://h/a\x00.png"}, "image_url: expected `str` matching regex"),
        ({"image_url": "\n"}, "image_url: expected `str` matching regex"),
        ({"deleted": True}, "deleted: expected one of colour"),
    ],
)
def test_a_wrong_attribute_is_named_with_what_was_expected_and_what_came(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        compile_item(8, GIFT | change, 0, EVERYTHING)
    assert str(refused.value).startswith(message)


def test_a_change_keeps_what_it_does_not_name_and_null_takes_away() -> None:
    gift = compile_item(8, GIFT, 1, EVERYTHING)
    changed = change_item(gift, {"price": 5, "tags": None, "available": None, "colour": "blue"}, 2, EVERYTHING)
    wanted = {name: value for name, value in GIFT.items() if name not in ("tags", "available")} | {
        "price": 5,
        "colour": "blue",
    }
    assert changed == compile_item(8, wanted, 2, EVERYTHING)
    with pytest.raises(BadInput, match=r"^title: expected a title, got null"):
        change_item(gift, {"title": None}, 2, EVERYTHING)


def test_what_is_deleted_stays_what_it_was() -> None:
    deleted = msgspec.structs.replace(HEAT, deleted=True)
    again = read_item(write_item(deleted, FILMS), MOVIES)
    assert again == deleted
    assert (again.title, again.tastes) == (HEAT.title, HEAT.tastes)


def test_a_value_over_the_limit_is_refused() -> None:
    fits = GOLDEN + b" " * (ITEM_LIMIT - len(GOLDEN))
    assert read_item(fits, MOVIES) == HEAT
    with pytest.raises(BadEvent, match=f"^item: expected at most {ITEM_LIMIT} bytes, got {ITEM_LIMIT + 1} bytes"):
        read_item(fits + b" ", MOVIES)
    long = compile_item(MAX_ID, {"title": "x", "story": "\x01" * 10_000}, 0, EVERYTHING)
    with pytest.raises(BadInput, match=f"^item: expected at most {ITEM_LIMIT} bytes"):
        write_item(long, EVERYTHING)


def test_an_item_that_became_too_large_is_deleted_by_id_and_title() -> None:
    texts = {f"text_{number}": "é" * 10_000 for number in range(3)}
    large = GIFTS.items.item(8, "A gift", {}, ts=5, deleted=True)
    large = msgspec.structs.replace(large, values=dict(texts))
    assert write_item(large, EVERYTHING) == b'{"item_id":8,"title":"A gift","deleted":true,"ts":5}'
    with pytest.raises(BadInput, match=f"^item: expected at most {ITEM_LIMIT} bytes"):
        write_item(msgspec.structs.replace(large, deleted=False), EVERYTHING)


URLS = st.sampled_from(["", "https://h/1.png", "/img/1.jpg", "https://h/a b.png", "https://h/" + "x" * 2_000])


@given(st.sampled_from(["", "Heat", "x" * 501]), URLS, st.integers(-5, 5), st.booleans(), st.integers(0, 9))
def test_whatever_was_taken_a_record_of_it_is_read(title: str, url: str, expires: int, deleted: bool, ts: int) -> None:
    item = Item(8, title, image_url=url, expires=expires, deleted=deleted, ts=ts)
    read = read_item(write_item(item, EVERYTHING), GIFTS)
    assert (read.item_id, read.title, read.deleted, read.ts) == (8, title[:500] or "8", deleted, ts)
    assert read.image_url == (url if url in ("", "https://h/1.png") else "")
    assert change_item(item, {"price": 5}, 9, EVERYTHING).values == {"price": 5}


@given(
    st.text("aé𝄞 ", min_size=1, max_size=30),
    st.lists(st.text("abcde:~é", min_size=1, max_size=60), max_size=10),
    st.booleans(),
)
def test_any_item_is_read_as_it_was_written(title: str, tags: list[str], available: bool) -> None:
    item = compile_item(5, {"title": title, "tags": tags, "available": available}, 3, EVERYTHING)
    assert read_item(write_item(item, EVERYTHING), GIFTS) == item


def test_an_item_whose_id_is_a_string_is_written_under_it() -> None:
    number = MOVIES.ids.inside("SKU-1")
    item = compile_item(number, {"title": "Heat"}, 5, FILMS, "SKU-1")
    assert write_item(item, FILMS) == b'{"item_id":"SKU-1","title":"Heat","ts":5}'
    assert read_item(write_item(item, FILMS), MOVIES) == item
    assert change_item(item, {"year": 1995}, 6, FILMS).outer == "SKU-1"


def test_fields_come_with_their_id() -> None:
    assert id_of(read_object(GOLDEN), MOVIES.ids) == (7, "")
    assert id_of({"item_id": "7"}, MOVIES.ids) == (7, "")
    assert id_of({"item_id": "SKU-1"}, MOVIES.ids) == (MOVIES.ids.inside("SKU-1"), "SKU-1")
    with pytest.raises(BadEvent, match=r"^item_id: expected a value, got nothing"):
        id_of({"item_id": None}, MOVIES.ids)
