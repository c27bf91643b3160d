"""What init doubts: what is not as it should be in files, and what was read otherwise than it looks."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.schema.document import preset, read_document
from features.schema.tables import read_schema
from offline.datasets.own.description import EventFile
from offline.datasets.own.proposal import Proposal
from tests.offline.datasets.own.test_proposal import HEADER, proposed, rows


def of_items(folder: Path, lines: list[str], events: str = "") -> Proposal:
    """What is proposed of events of a shop and a file of items."""
    folder.mkdir(exist_ok=True)
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    return proposed(folder, events or rows(("purchase", 20)))


def test_what_the_preset_has_is_read_as_that_where_its_values_fit(tmp_path: Path) -> None:
    long = "Apparel & Accessories > Clothing > Shirts & Tops > "
    lines = ["item_id,price,category,description", *(f'{at},{at}.5,{long}{at % 3},"Warm {at}"' for at in range(50))]
    lines[1] = lines[1].replace("0.5", "on request")
    proposal = of_items(tmp_path, lines)
    declared = read_schema(proposal.schema, "it").items.declared
    known = preset("shop").items
    assert {name: declared[name].type for name in ("price", "category", "description")} == {
        "price": "number",
        "category": "facet",
        "description": "text",
    }
    assert declared["price"].bands == known["price"].bands
    assert "1 values of price don't fit: expected a number, got 'on request'" in proposal.doubts
    assert not any(word in doubt for doubt in proposal.doubts for word in ("category", "description"))


def test_what_does_not_fit_the_preset_is_another_type_and_a_doubt(tmp_path: Path) -> None:
    lines = ["item_id,price", *(f"{at},{'cheap' if at % 2 else 'dear'}" for at in range(50))]
    proposal = of_items(tmp_path, lines)
    assert read_document(proposal.schema, "it").items["price"].type == "facet"
    assert (
        "price is a number in the preset and a facet here: 50 values of price don't fit: expected a number, got 'dear'"
        in proposal.doubts
    )


@pytest.mark.parametrize("value", ["12,50", "$12.50", "12.50 USD"])
def test_a_value_that_is_no_number_is_a_doubt(tmp_path: Path, value: str) -> None:
    text = "user_id;item_id;timestamp;type;price\n" + "".join(
        f"u{at};i{at};{1_700_000_000 + at};purchase;{value}\n" for at in range(10)
    )
    doubts = proposed(tmp_path, text).doubts
    assert (
        f"no value of purchase is taken from the column price: 10 rows have one, none of them a number (such as {value!r})"
        in doubts
    )


def test_ids_with_a_fraction_of_nothing_are_a_doubt(tmp_path: Path) -> None:
    text = HEADER + "".join(f"{at}.0,i{at},{1_700_000_000 + at},view,\n" for at in range(10))
    assert (
        "10 users of events.csv have ids such as '0.0', which are others than 0: a program that met gaps has made whole "
        "numbers fractions" in proposed(tmp_path, text).doubts
    )


def test_all_rows_are_a_hundred_per_cent(tmp_path: Path) -> None:
    text = HEADER + "".join(f"u{at},i{at},14.11.2023,view,\n" for at in range(10))
    doubts = proposed(tmp_path, text).doubts
    assert any(doubt.startswith("100 % of the rows of events.csv have no time") for doubt in doubts)


def of_events(folder: Path, *events: tuple[str, str, str]) -> tuple[EventFile, tuple[str, ...]]:
    """(description, doubts) of a file of (event id, item, kind)."""
    header = "message_id,user_id,item_id,timestamp,type\n"
    lines = (f"{event},u{at % 3},{item},{1_700_000_000 + at},{kind}\n" for at, (event, item, kind) in enumerate(events))
    proposal = proposed(folder, header + "".join(lines))
    return proposal.description.events[0], proposal.doubts


def test_ids_of_orders_are_none_of_events(tmp_path: Path) -> None:
    orders = [(f"o{at // 3}", f"i{at}", "purchase") for at in range(12)]
    file, doubts = of_events(tmp_path / "orders", *orders)
    assert file.event == ""
    assert (
        "4 of 4 ids in the column message_id of events.csv are of several items, as of an order: the column is not used, since "
        "of rows of one id only the first would count" in doubts
    )
    file, doubts = of_events(tmp_path / "sent-again", *[(f"e{at // 2}", f"i{at // 2}", "view") for at in range(12)])
    assert file.event == "message_id"
    assert not any("message_id" in doubt for doubt in doubts)


def test_a_quote_behind_a_blank_is_a_doubt(tmp_path: Path) -> None:
    text = HEADER + "".join(f'u{at}, "i{at}", {1_700_000_000 + at}, view,\n' for at in range(10))
    assert (
        "10 items of events.csv have ids in quotes that are part of them, such as '\"i0\"': in CSV no blank stands before a quote"
        in proposed(tmp_path, text).doubts
    )


def test_a_folder_in_a_folder_is_no_file_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "parts.parquet").mkdir()
    proposal = proposed(tmp_path, rows(("view", 3)))
    assert proposal.events == 3
    assert any("parts.parquet" in doubt and "a folder" in doubt for doubt in proposal.doubts)


def test_doubts(tmp_path: Path) -> None:
    good = rows(("view", 97))
    bad = "u1,i1,never,view,\n,i1,1700000000,view,\nu1,,1700000000,,\nu1\n"
    (tmp_path / "items.csv").write_text("item_id,title\ni0,A\ni1,B\n,C\n")
    (tmp_path / "users.csv").write_text("user_id,age\nu1,7\n")
    proposal = proposed(tmp_path, good + bad)
    assert proposal.doubts == (
        "1 lines could not be read",
        "1 % of the rows of events.csv have no user (1 rows)",
        "1 % of the rows of events.csv have no item (1 rows)",
        "1 % of the rows of events.csv have no time that can be read, from 1970 to now (1 rows)",
        "1 % of the rows of events.csv have no kind (1 rows)",
        "1 rows of items have no id",
        "3 of 5 items in events are in no file of items",
        "6 of 7 users in events are in no file of users",
    )
    assert all(f"# - {doubt}" in proposal.schema for doubt in proposal.doubts)


def test_quotes_and_letters_that_are_doubtful(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes(b'item_id,title\ni0,"Two\nlines"\ni1,Caf\xe9\ni\xe9,C\ni2,"Heroes\n')
    doubts = proposed(tmp_path, rows(("view", 10))).doubts
    assert doubts[0] == "2 lines could not be read"
    assert any("1 rows of items.csv go over several lines" in doubt and "from line 2 on" in doubt for doubt in doubts)
    assert any("2 values of items.csv are no UTF-8" in doubt for doubt in doubts)


def test_values_out_of_range_are_a_doubt(tmp_path: Path) -> None:
    text = (
        rows(("purchase", 9), value="5") + f"u,i,{1_700_000_100},purchase,-3\nu,i,{1_700_000_101},purchase,12.5 EUR\n"
    )
    proposal = proposed(tmp_path, text)
    assert proposal.doubts[-1] == (
        "2 values of purchase in the column value are no number of money from 0 to 1e+09: such rows are left out, and more "
        "than a tenth of them are refused"
    )


def test_kinds_that_a_schema_can_not_have_are_doubts(tmp_path: Path) -> None:
    many = [(f"kind_{number}", 30 - number) for number in range(20)]
    proposal = proposed(tmp_path, rows(("view", 50), ("undo", 2), ("profile", 3), *many))
    document = read_document(proposal.schema, "it")
    assert "kind_12" in document.events
    assert "kind_13" not in document.events
    left_out = [doubt for doubt in proposal.doubts if "is left out" in doubt]
    assert len(left_out) == 9
    assert "3 events are of the kind 'profile', which is left out: the name has another meaning" in left_out
    assert "2 events are of the kind 'undo', which is left out: the name has another meaning" in left_out


def test_attributes_that_a_schema_can_not_have_are_doubts(tmp_path: Path) -> None:
    names = [f"extra_{number}" for number in range(40)]
    (tmp_path / "items.csv").write_text(f"item_id,title,score,{','.join(names)}\ni0,A,1,{','.join(['7'] * 40)}\n")
    wide = {"item_id": ["i1"], "look": [[0.5] * 1_025], "категория": ["a"], "цена": [3.5]}
    pq.write_table(pa.table(wide), tmp_path / "items_more.parquet")
    proposal = proposed(tmp_path, rows(("view", 5)))
    declared = read_document(proposal.schema, "it").items
    assert len(declared) == 32
    assert {"extra_0", "extra_27", "category"} <= set(declared)
    left_out = [doubt for doubt in proposal.doubts if "of items is left out" in doubt]
    assert left_out[0] == "the column score of items is left out: the name has another meaning"
    assert left_out[1] == (
        "the column extra_28 of items is left out: a schema has 32 attributes, those of the preset among them"
    )
    assert "the column look of items is left out: a vector has at most 1024 numbers" in left_out
    assert len(left_out) == 1 + 12 + 3
    assert len({each.name for each in proposal.attributes}) == len(proposal.attributes)
