"""The catalogue of a base and of what the topic of items says since."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from features.contracts.items import write_item
from features.errors import Broken
from offline.base.from_log import read_catalogue
from offline.base.kafka_log import Record, Span
from tests.schemas import MOVIES, film

BASE: Any = SimpleNamespace(
    catalogue={1: film(1, "Old", (), 1990)}, catalogue_start=2, schema=MOVIES, manifest={"number": 3}
)


class Items:
    """A topic `items` of four records: item n is put by record n."""

    def read(self, span: Span) -> Iterator[Record]:
        for offset in range(span.start, span.end):
            yield Record(offset, 0, None, write_item(film(offset, f"Film {offset}", (), 1990), MOVIES.items))


def test_what_was_put_since_the_base_is_added_to_its_items() -> None:
    log: Any = Items()
    found = read_catalogue(log, BASE, 4)
    assert (found.end, {item.item_id: item.title for item in found.items(4)}) == (
        4, {1: "Old", 2: "Film 2", 3: "Film 3"},
    )  # fmt: skip
    assert [item.item_id for item in read_catalogue(log, BASE, 2).items(2)] == [1]


def test_a_topic_that_was_cut_is_no_catalogue() -> None:
    log: Any = Items()
    with pytest.raises(Broken, match="topic items: expected 2 records or more, which base 3 has seen, got 1"):
        read_catalogue(log, BASE, 1)
