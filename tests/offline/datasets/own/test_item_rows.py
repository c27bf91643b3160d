"""Items of one's own files: every type of attribute comes in, under the schema that `init` proposes for it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.items import ITEM_LIMIT
from features.errors import BadInput
from features.schema.tables import Schema, preset_schema, read_schema
from features.types import Item
from offline.datasets.dataset import open_dataset
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise
from tests.schemas import SHOP

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


def taken(folder: Path, schema: Schema, items: str) -> dict[str, Item]:
    """The items of a file, recognised in a folder under a schema."""
    folder.mkdir(exist_ok=True)
    (folder / "events.csv").write_text(EVENTS)
    (folder / "items.csv").write_text(items)
    return {item.outer: item for item in open_dataset(str(folder), folder.parent / "data", schema).items}


def test_numbers_are_what_the_schema_says(tmp_path: Path) -> None:
    items = taken(tmp_path / "shop", SHOP, "item_id,category,brand\nSKU-0,1001,Salt|Pepper\nSKU-1,1002|1003,7\n")
    assert items["SKU-0"].facets == {"category": ("1001",), "brand": ("Salt|Pepper",)}
    assert items["SKU-1"].facets == {"category": ("1002", "1003"), "brand": ("7",)}
    news = taken(tmp_path / "news", preset_schema("news"), "item_id,published\nSKU-0,1700000000\n")
    assert news["SKU-0"].values == {"published": 1_700_000_000_000}


def test_init_has_facets_and_times_of_the_preset_though_they_are_numbers(tmp_path: Path) -> None:
    for preset, column, value, expected in (
        ("shop", "category", "1001", ("facet", True)),
        ("news", "published", "1700000000", ("time", False)),
    ):
        folder = tmp_path / preset
        folder.mkdir()
        (folder / "events.csv").write_text(EVENTS)
        (folder / "items.csv").write_text(f"item_id,{column}\nSKU-0,{value}\n")
        proposal = propose(recognise([folder]), preset)
        declared = read_schema(proposal.schema, "it").items.declared[column]
        assert (declared.type, declared.many) == expected
        assert column in getattr(proposal.description.items[0], f"{expected[0]}s")


def test_whether_an_item_may_be_shown_is_read_from_numbers_too(tmp_path: Path) -> None:
    items = taken(tmp_path / "mine", SHOP, "item_id,available,expires\nSKU-0,0,1700000000\nSKU-1,1,1700000000000\n")
    shown = {outer: (item.available, item.expires) for outer, item in items.items()}
    assert shown == {"SKU-0": (False, 1_700_000_000_000), "SKU-1": (True, 1_700_000_000_000)}


def test_what_does_not_fit_is_told_and_too_much_of_it_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"SKU-{at},{at},/img/{at}.png,yes\n" for at in range(19))
    header = "item_id,price,image_url,available\n"
    items = taken(tmp_path / "mine", SHOP, f"{header}{rows}SKU-x,dear,,maybe\n")
    assert items["SKU-x"].values == {}
    assert {item.image_url for item in items.values()} == {""}
    told = capsys.readouterr().out
    assert "mine: 1 values of price don't fit: expected a number, got 'dear'" in told
    assert "mine: 19 values of image_url don't fit: expected http:// or https:// and an address without blanks" in told
    assert "at most 2000 characters, got '/img/0.png'" in told
    assert "mine: 1 values of available don't fit: expected true or false, yes or no, 1 or 0, got 'maybe'" in told
    doubts = propose(recognise([tmp_path / "mine"])).doubts
    assert any(doubt.startswith("19 values of image_url don't fit") for doubt in doubts)
    with pytest.raises(
        BadInput, match=r"items.csv, column price: expected a number, at least 90% of its values, got 2 of"
    ):
        taken(tmp_path / "other", SHOP, f"{header}{rows[:27]}SKU-x,dear,,\nSKU-y,cheap,,\n")


def test_an_item_that_no_record_could_hold_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = read_schema(
        "[events.click]\nweight = 1\n" + "".join(f'[items.t{at}]\ntype = "text"\n' for at in range(4)), "it"
    )
    large, rows = ",".join(["é" * 9_000] * 2), "".join(f"SKU-{at},a,b\n" for at in range(20))
    items = taken(
        tmp_path / "mine", schema, f"item_id,t0,t1\n{rows}SKU-x,{large}\nSKU-0,{large}\n".replace("SKU-0,é", "SKU-9,é")
    )
    assert "SKU-x" not in items
    assert items["SKU-9"].values == {"t0": "a", "t1": "b"}, "what came before stays"
    assert "mine: 2 bad lines left out" in capsys.readouterr().out
    rejected = (tmp_path / "data" / "rejected-lines.txt").read_text()
    assert f"an item has at most {ITEM_LIMIT} bytes as JSON, this one 36" in rejected


def test_what_no_schema_declares_is_split_as_the_whole_column_is(tmp_path: Path) -> None:
    """Such a facet waits in the data set for a schema that has it."""
    rows = "".join(f"SKU-{at},plain,{'a|b' if at % 3 else 'c'}\n" for at in range(20))
    taken(tmp_path / "mine", SHOP, f"item_id,taste,mix\n{rows}SKU-x,Salt|Pepper,d\n")
    later = read_schema(
        'preset = "shop"\n[items.taste]\ntype = "facet"\n[items.mix]\ntype = "facet"\nmany = true\n', "it"
    )
    items = {item.outer: item for item in open_dataset(str(tmp_path / "mine"), tmp_path / "data", later).items}
    assert items["SKU-x"].facets == {"taste": ("Salt|Pepper",), "mix": ("d",)}
    assert items["SKU-1"].facets == {"taste": ("plain",), "mix": ("a", "b")}
