"""What is exported is taken again: the same events of each kind, the same items."""

from collections import Counter
from pathlib import Path

import pytest

from examples.shop import draw_shop
from features.errors import BadInput
from features.schema.tables import read_schema
from offline.datasets.dataset import event_of, open_dataset, whole_rows
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise
from offline.export_home import FORMATS, Format, export_home
from tests.schemas import SHOP

AT = 1_700_000_000_000


@pytest.mark.parametrize("form", FORMATS)
def test_a_round_trip(tmp_path: Path, form: Format) -> None:
    draw_shop(tmp_path / "shop", users=80, items=50, seed=5)
    first = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    events = [event_of("shop", *row) for row in whole_rows(first, 0, first.rows)]
    kinds, items = export_home(events, first.items, SHOP, tmp_path / "again", form)
    assert (kinds, items) == (Counter(SHOP.kind(event.kind).name for event in events), 50)
    proposal = propose(recognise([tmp_path / "again"]))
    assert proposal.kinds == kinds
    assert proposal.doubts == ()
    schema = read_schema(proposal.schema, "schema.toml")
    second = open_dataset(str(tmp_path / "again"), tmp_path / "data", schema)
    assert second.items == first.items
    assert list(whole_rows(second, 0, second.rows)) == list(whole_rows(first, 0, first.rows))


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


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(BadInput, match="--to: expected a new or empty folder"):
        export_home([], [], SHOP, tmp_path, "parquet")
    kinds, items = export_home([], [], SHOP, tmp_path / "new", "ndjson")
    assert (kinds, items) == (Counter(), 0)
