"""What Spark's workers make of contributions, one row an item: also of values at the ends of what a schema allows."""

import pyarrow as pa

from features.contracts.items import compile_item
from features.schema.attribute_values import MAX_NUMBER
from features.schema.tables import read_schema
from features.types import Item
from offline.base.fold_workers import items_worker

BY_DECADE = '[events.click]\nweight = 1\n[items.year]\ntype = "number"\ntastes = "decade"\n'


class OfItems:
    """A catalogue as Spark broadcasts it."""

    def __init__(self, *items: Item) -> None:
        self.value = {item.item_id: item for item in items}


def test_a_year_may_be_any_number_that_the_schema_takes() -> None:
    schema = read_schema(BY_DECADE, "it")
    years = {1: 1995, 2: 2**31, 3: int(MAX_NUMBER)}
    items = [compile_item(number, {"title": "x", "year": year}, 0, schema.items) for number, year in years.items()]
    click = {"ts": 5, "kind": schema.code_of["click"], "centi": 0, "sign": 1, "weight": 1, "name": ""}
    rows = pa.RecordBatch.from_pylist([{"item_id": number} | click for number in years])
    folded = items_worker(OfItems(*items), schema.text(), at=10)([rows])
    assert {row["item_id"]: row["year"] for batch in folded for row in batch.to_pylist()} == years
