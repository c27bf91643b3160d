"""Items of one's own files: every type of attribute comes in, under the schema that `init` proposes for it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.schema.tables import read_schema
from features.types import Item
from offline.datasets.dataset import open_dataset
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise

EVENTS = "user_id,item_id,timestamp,type\n" + "".join(
    f"u{at},SKU-{at % 3},{1_700_000_000 + at},click\n" for at in range(9)
)
ITEMS = """item_id,title,colour,tags,price,released,inStock,description,image_url,available,expires,score
SKU-0,Socks,red,warm|wool,9.5,2023-05-01,true,Socks for cold feet that want to be warm all day long,https://h/s.png,true,2099-01-01,3
SKU-1,Hat,blue,warm,20,2023-06-01,false,A hat for those who have lost theirs and would like one,,false,,4
SKU-2,Scarf,red,,,,,,,true,2099-02-01,5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "events.csv").write_text(EVENTS)
    (tmp_path / "mine" / "items.csv").write_text(ITEMS)
    return tmp_path / "mine"


def items_of(folder: Path, data: Path) -> dict[str, Item]:
    schema = read_schema(propose(recognise([folder])).schema, "schema.toml")
    return {item.outer: item for item in open_dataset(str(folder), data, schema).items}


def test_each_type_is_proposed_and_read(folder: Path, tmp_path: Path) -> None:
    proposal = propose(recognise([folder]))
    declared = read_schema(proposal.schema, "schema.toml").items.declared
    types = {name: (each.type, each.many) for name, each in declared.items()}
    expected = {
        "colour": ("facet", False),
        "tags": ("facet", True),
        "price": ("number", False),
        "in_stock": ("flag", False),
        "released": ("time", False),
        "description": ("text", False),
    }
    assert types.items() >= expected.items()
    assert "score" not in types
    assert any("column score of items is left out" in doubt for doubt in proposal.doubts)
    items = items_of(folder, tmp_path / "data")
    socks, scarf = items["SKU-0"], items["SKU-2"]
    assert (socks.title, socks.facets) == ("Socks", {"colour": ("red",), "tags": ("warm", "wool")})
    assert (socks.values["price"], socks.values["in_stock"]) == (9.5, True)
    assert socks.values["released"] == 1_682_899_200_000
    assert (socks.image_url, socks.available, socks.expires) == ("https://h/s.png", True, 4_070_908_800_000)
    assert not items["SKU-1"].available
    assert scarf.values == {}
    assert scarf.image_url == ""


def test_of_an_item_that_comes_again_the_last_counts(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "products.csv").write_text("item_id,price,weight\nSKU-0,11,3\nSKU-0,12,\nSKU-9,1,2\n")
    items = items_of(folder, tmp_path / "data")
    assert "mine: 2 rows of items are of one that came before: what the last says counts" in capsys.readouterr().out
    socks = items["SKU-0"]
    assert (socks.title, socks.facets["colour"], socks.values["price"], socks.image_url) == (
        "Socks",
        ("red",),
        12,
        "https://h/s.png",
    )
    assert (items["SKU-9"].title, items["SKU-9"].values["price"]) == ("SKU-9", 1)
    assert any("1 rows of items are of one that came before" in doubt for doubt in propose(recognise([folder])).doubts)


def test_numbers_flags_and_vectors_of_typed_columns(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "events.csv").write_text(EVENTS)
    columns = {
        "item_id": ["SKU-0", "SKU-1", "SKU-2"],
        "price": [9.5, 20.0, None],
        "fragile": [True, None, False],
        "look": [[0.1, 0.2], [0.3, 0.4], None],
    }
    pq.write_table(pa.table(columns), folder / "items.parquet")
    items = items_of(folder, tmp_path / "data")
    assert items["SKU-0"].values == {"price": 9.5, "fragile": True, "look": (0.1, 0.2)}
    assert items["SKU-1"].values == {"price": 20, "look": (0.3, 0.4)}
    assert items["SKU-2"].values == {"fragile": False}
    assert items["SKU-0"].tastes == ("price:0-10",)
