"""The topic of items: golden bytes, and what is refused."""

import pytest

from features.catalogue import ItemRecord, read_item, write_item
from features.errors import BadEvent
from features.words import Item

RECORD = ItemRecord(7, "Heat", ("Crime", "Action", "Crime"), 1995, 889_000_000_000)
GOLDEN = b'{"item_id":7,"title":"Heat","genres":["Crime","Action","Crime"],"year":1995,"ts":889000000000}'


def test_golden_bytes_both_ways() -> None:
    assert write_item(RECORD) == GOLDEN
    assert read_item(GOLDEN) == RECORD
    assert RECORD.item() == Item(7, "Heat", ("Action", "Crime"), 1995)


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
