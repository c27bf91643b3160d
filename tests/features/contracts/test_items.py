"""The topic of items: golden bytes, and what is refused."""

import pytest

from features.contracts.items import ITEM_LIMIT, ItemRecord, read_item, write_item
from features.errors import BadEvent, BadInput
from features.types import MAX_ID, Item
from tests.schemas import MOVIES

RECORD = ItemRecord(7, "Heat", ("Crime", "Action", "Crime"), 1995, 889_000_000_000)
GOLDEN = b'{"item_id":7,"title":"Heat","genres":["Crime","Action","Crime"],"year":1995,"ts":889000000000}'


def test_golden_bytes_both_ways() -> None:
    assert write_item(RECORD) == GOLDEN
    assert read_item(GOLDEN) == RECORD
    assert RECORD.item(MOVIES.ids) == Item(7, "Heat", ("Action", "Crime"), 1995)


def test_old_reads_new_and_new_reads_old() -> None:
    assert read_item(b'{"item_id":7,"title":"Heat","poster":"x"}') == ItemRecord(7, "Heat")


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (b'{"title":"x"}', "item_id"),
        (b'{"item_id":7}', "title"),
        (b'{"item_id":-1,"title":"x"}', "item_id"),
        (b'{"item_id":7,"title":""}', "title"),
        (b'{"item_id":7,"title":"x","genres":[1]}', r"genres\[0\]"),
        (b"[]", "item"),
        (b"\xff", "item"),
    ],
)
def test_what_is_wrong_is_named(value: bytes, where: str) -> None:
    with pytest.raises(BadEvent, match=f"^{where}: expected"):
        read_item(value)


def test_a_value_over_the_limit_is_refused_and_the_largest_item_is_below_it() -> None:
    largest = ItemRecord(MAX_ID, "\x01" * 500, ("\x02" * 64,) * 20, 9999, MAX_ID)
    assert read_item(write_item(largest)) == largest
    fits = GOLDEN + b" " * (ITEM_LIMIT - len(GOLDEN))
    assert read_item(fits) == RECORD
    with pytest.raises(BadEvent, match=f"^item: expected at most {ITEM_LIMIT} bytes, got {ITEM_LIMIT + 1} bytes"):
        read_item(fits + b" ")
    with pytest.raises(BadInput, match=f"^item: expected at most {ITEM_LIMIT} bytes"):
        write_item(ItemRecord(7, "x" * ITEM_LIMIT))
