"""One's own files become a data set: every good row once, in order, by the schema's names; the others are told."""

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.shop import draw_shop
from features.errors import BadInput
from features.ids import MAX_LENGTH
from features.schema.tables import Schema, read_schema
from offline.datasets.dataset import Dataset, event_of, open_dataset, rows_between, whole_rows
from offline.datasets.event_history import tie_hash
from tests.schemas import MOVIES, SHOP

HEADER = "user_id,item_id,timestamp,type,price,quantity\n"
AT = 1_700_000_000


def write(folder: Path, lines: str, items: str = "item_id,title,category\nA-1,Apple,fruit\n") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "events.csv").write_text(HEADER + lines)
    (folder / "items.csv").write_text(items)
    return folder


def rows_of(dataset: Dataset) -> list[dict[str, Any]]:
    names = ("user_id", "item_id", "kind", "centi", "ts", "user", "item")
    return [row for batch in rows_between(dataset, 0, dataset.rows, columns=names) for row in batch.to_pylist()]


def kinds_of(dataset: Dataset, schema: Schema) -> Counter[str]:
    return Counter(schema.kind(row["kind"]).name for row in rows_of(dataset))


def test_a_drawn_shop(tmp_path: Path) -> None:
    count = draw_shop(tmp_path / "shop", users=60, items=40, seed=3, end=datetime(2026, 1, 1, tzinfo=UTC))
    dataset = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    assert (dataset.name, dataset.rows + dataset.duplicates, dataset.rejected) == ("shop", count, 0)
    assert set(kinds_of(dataset, SHOP)) == {"view", "click", "add_to_cart", "purchase"}
    rows = rows_of(dataset)
    assert [row["ts"] for row in rows] == sorted(row["ts"] for row in rows)
    assert all(row["user_id"] == SHOP.ids.inside(row["user"]) < 0 for row in rows)
    assert {len(str(row["centi"])) > 1 for row in rows if row["kind"] == SHOP.code_of["purchase"]} == {True}
    assert {row["centi"] for row in rows if row["kind"] == SHOP.code_of["view"]} == {0}
    assert len(dataset.items) == 40
    assert dataset.items[0].outer.startswith("SKU-")
    assert dataset.clock == "data"


def test_each_row_becomes_an_event_of_its_own(tmp_path: Path) -> None:
    lines = (
        f"u1,A-1,{AT},purchase,2.50,3\nu1,A-1,{AT},add_to_cart,2.50,3\nu1,A-1,{AT},view,,\n"
        f"u1,A-1,{AT},view,,\n7,9,{AT}500,view,,\n7,9,{AT}501,view,,\n"
    )
    dataset = open_dataset(str(write(tmp_path / "shop", lines)), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.duplicates) == (5, 1)
    events = [event_of("shop", *row) for row in whole_rows(dataset, 0, dataset.rows)]
    of_one = [event for event in events if event.user == "u1"]
    assert [(SHOP.kind(event.kind).name, event.centi) for event in of_one] == [
        ("view", 0),
        ("add_to_cart", 300),
        ("purchase", 250),
    ]
    assert len({event.event_id for event in events}) == 5
    assert [(event.user_id, event.item_id, event.user) for event in events[-2:]] == [(7, 9, "")] * 2


def test_an_id_of_its_own_keeps_an_event_apart(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    same = [("a", AT), ("b", AT), ("c", AT), ("a", AT), ("d", AT + 0.001), ("e", AT + 1), ("", AT), ("", AT)]
    lines = "".join(f"{event},u1,A-1,{at},view\n" for event, at in same)
    (tmp_path / "shop" / "events.csv").write_text("event_id,user_id,item_id,timestamp,type\n" + lines)
    dataset = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.duplicates) == (5, 3)
    assert [row["ts"] - AT * 1000 for row in rows_of(dataset)] == [0, 1, 2, 3, 1000]


def test_what_another_file_says_without_an_id_is_no_second_event(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    rows = [("", "A-0", AT), ("", "A-1", AT), ("a", "A-1", AT), ("", "A-1", AT + 1), ("b", "A-2", AT), ("", "A-2", AT)]
    lines = "".join(f"{event},u1,{item},{at},view\n" for event, item, at in rows)
    (tmp_path / "shop" / "events.csv").write_text("event_id,user_id,item_id,timestamp,type\n" + lines)
    dataset = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.duplicates) == (4, 2)
    found = sorted((row["item"], row["ts"] - AT * 1000) for row in rows_of(dataset))
    assert found == [("A-0", 0), ("A-1", 0), ("A-1", 1000), ("A-2", 0)]


def test_rows_of_one_event_are_one_event(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    came = [
        ("a", "u1", "A-1", AT + 5),
        ("a", "u1", "A-1", AT),
        ("a", "u1", "A-2", AT + 7),
        ("a", "u2", "A-1", AT + 9),
        ("b", "u1", "A-1", AT),
        ("", "u1", "A-1", AT + 20),
        ("", "u1", "A-1", AT + 25),
    ]
    lines = "".join(f"{event},{user},{item},{at},view\n" for event, user, item, at in came)
    (tmp_path / "shop" / "events.csv").write_text("event_id,user_id,item_id,timestamp,type\n" + lines)
    dataset = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.duplicates) == (5, 2)
    rows = [(row["user"], row["item"], row["ts"] - AT * 1000) for row in rows_of(dataset)]
    at = [("u1", "A-1", 0), ("u1", "A-1", 1), ("u2", "A-1", 9_000), ("u1", "A-1", 20_000), ("u1", "A-1", 25_000)]
    assert rows == at


def test_rows_of_one_second_stand_in_the_order_of_a_hash(tmp_path: Path) -> None:
    lines = "".join(f"{user},{item},{AT},view,,\n" for user in range(4) for item in range(20))
    rows = rows_of(open_dataset(str(write(tmp_path / "shop", lines)), tmp_path / "data", SHOP))
    users, items = (np.array([row[name] for row in rows], np.int64) for name in ("user_id", "item_id"))
    ties = tie_hash(users, items, np.full(len(rows), AT))
    assert ties.tolist() == sorted(ties.tolist())


def test_bad_rows_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    good = "".join(f"u{at},A-1,{AT + at},view,,\n" for at in range(90))
    bad = [
        f"{'x' * (MAX_LENGTH + 1)},A-1,{AT},view,,",
        f"u\x07,A-1,{AT},view,,",
        f"u1,,{AT},view,,",
        "u1,A-1,never,view,,",
        f"u1,A-1,{AT},,,",
        "u1,A-1",
    ]
    items = "item_id,title,category\nA-1,Apple,fruit\nA-1,Again,fruit\n" + "".join(f"B-{at},,\n" for at in range(20))
    dataset = open_dataset(str(write(tmp_path / "shop", good + "\n".join(bad), items)), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.rejected, len(dataset.items)) == (90, 6, 21)
    text = (tmp_path / "data" / "rejected-lines.txt").read_text()
    for line in (
        "a user id is a number or a string of 1 to 128 printable characters\txxx",
        "an item id is a number or a string of 1 to 128 printable characters\tu1,None",
        "no time that can be read, from 1970 to now\tu1,A-1,never",
        "no kind of event\tu1,A-1",
        "2 fields, expected 6\tu1,A-1",
    ):
        assert line in text
    names = {item.outer: item.title for item in dataset.items}
    assert (names["A-1"], names["B-3"]) == ("Again", "B-3")


def test_a_time_that_no_date_has_is_a_bad_row_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    times = pa.array([*[AT * 1000] * 20, 2**63 - 1], pa.timestamp("ms", "UTC"))
    rows = {"user_id": list(range(21)), "item_id": [1] * 21, "timestamp": times, "type": ["view"] * 21}
    pq.write_table(pa.table(rows), tmp_path / "shop" / "events.parquet")
    dataset = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.rejected) == (20, 1)
    assert (
        "no time that can be read, from 1970 to now\t20,1,2" in (tmp_path / "data" / "rejected-lines.txt").read_text()
    )


def test_too_many_bad_rows_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", f"u1,A-1,{AT},view,,\n" * 8 + "u1,A-1,never,view,,\n")
    with pytest.raises(BadInput, match=r"events\.csv: expected at most 10% bad lines, got 1 of 9"):
        open_dataset(str(folder), tmp_path / "data", SHOP)
    assert not (tmp_path / "data" / "shop" / "taken.json").exists()


def test_what_is_doubtful_of_quotes_and_letters_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "shop", "".join(f"u{at},A-1,{AT + at},view,,\n" for at in range(90)))
    with (folder / "events.csv").open("ab") as file:
        file.write("".join(f"M{letter}ller,A-1,{AT},view,,\n" for letter in "äöü").encode("latin-1"))
    titles = [f"A-{at},{title}" for at, title in enumerate(["Apple", '"Heroes', '"Two\nlines"', *["Pear"] * 20])]
    (folder / "items.csv").write_text("item_id,title\n" + "\n".join(titles))
    dataset = open_dataset(str(folder), tmp_path / "data", SHOP)
    assert (dataset.rows, dataset.rejected, len(dataset.items)) == (90, 4, 22)
    told = capsys.readouterr().out
    assert (
        "shop: 3 values of events.csv are no UTF-8, which files are expected to be, the first in the column user_id"
        in told
    )
    assert "shop: 1 rows of items.csv go over several lines, as a field in quotes may, the first from line 4 on" in told


def test_what_is_not_read_of_a_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "shop", f"u1,A-1,{AT},view,,\n")
    (folder / "stock.csv").write_text("warehouse,count\nnorth,3\n")
    (folder / "notes.md").write_text("# Notes\n")
    open_dataset(str(folder), tmp_path / "data", SHOP)
    told = capsys.readouterr().out
    assert "shop: stock.csv is left out: no column of user, item, time among warehouse, count\n" in told
    assert "shop: notes.md is left out: no file of .csv," in told


def test_the_description_in_a_folder_says_what_its_files_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "ratings", f"u1,A-1,{AT},view,,\n")
    (folder / "clicks.csv").write_text(f"wer,was,wann\nu1,A-1,{AT}\nu2,A-1,{AT}\n")
    (folder / "dataset.toml").write_text(
        "name = 'mine'\n[[events]]\nfile = 'clicks.csv'\nuser = 'wer'\nitem = 'was'\ntime = 'wann'\nevery = 'click'\n"
    )
    dataset = open_dataset(str(folder), tmp_path / "data", SHOP)
    assert kinds_of(dataset, SHOP) == {"click": 2}
    assert (dataset.name, dataset.items) == ("ratings", [])
    told = capsys.readouterr().out
    for name in ("events.csv", "items.csv"):
        assert f"ratings: {name} is left out: dataset.toml does not name it\n" in told


def test_a_description_says_that_quotes_are_letters(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", f"u1,A-1,{AT},view,,\n", 'item_id,title\nA-1,"Heroes\nA-2,Sons"\n')
    (tmp_path / "dataset.toml").write_text(
        f"name = 'mine'\n[[events]]\nfile = '{folder}/events.csv'\nuser = 'user_id'\nitem = 'item_id'\ntime = 'timestamp'\n"
        f"kind = 'type'\n[[items]]\nfile = '{folder}/items.csv'\nid = 'item_id'\ntitle = 'title'\nquotes = false\n"
    )
    dataset = open_dataset(str(tmp_path / "dataset.toml"), tmp_path / "data", SHOP)
    assert {item.title for item in dataset.items} == {'"Heroes', 'Sons"'}


def test_what_the_schema_does_not_take_is_left_out_and_stays_in_the_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"u{at},A-1,{AT + at},{kind},,\n" for at, kind in enumerate(["view", "search", "rating"] * 5))
    folder = write(tmp_path / "shop", lines)
    dataset = open_dataset(str(folder), tmp_path / "data", SHOP)
    assert dict(dataset.left_out) == {
        "a kind that the schema does not have": 5,
        "a rating needs a number of stars from 0.5 to 5": 5,
    }
    assert "5 rows left out: a kind that the schema does not have" in capsys.readouterr().out
    text = (tmp_path / "data" / "shop" / "rows-left-out.txt").read_text()
    assert "a kind that the schema does not have\tu1,A-1,search,None" in text
    shutil.rmtree(folder)
    wider = read_schema('preset = "shop"\n[events.search]\nweight = 0.1\n', "wider")
    dataset = open_dataset(str(folder), tmp_path / "data", wider)
    assert kinds_of(dataset, wider) == {"view": 5, "search": 5}
    with pytest.raises(BadInput, match=r"events that the schema takes \(impression, click, .*\), got 15 rows"):
        open_dataset(str(folder), tmp_path / "data", read_schema("[events.click]\nweight = 1", "other"))


def test_ratings_of_ten_are_taken_as_stars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = "".join(f"u{at},A-{at % 3},{AT + at},{at % 10 + 1}\n" for at in range(40))
    folder = tmp_path / "tens"
    folder.mkdir()
    (folder / "ratings.csv").write_text("user_id,item_id,timestamp,rating\n" + lines)
    dataset = open_dataset(str(folder), tmp_path / "data", MOVIES)
    centi = pq.read_table(dataset.ratings, columns=["centi"])["centi"].to_pylist()
    assert sorted(set(centi)) == [50, 100, 150, 200, 250, 300, 350, 400, 450, 500]
    assert not dataset.left_out
    assert "rating in ratings.csv, column rating, is multiplied by 0.5" in capsys.readouterr().out


def test_without_any_data(tmp_path: Path) -> None:
    dataset = open_dataset("none", tmp_path / "data", SHOP)
    assert (dataset.name, dataset.rows, dataset.items, dataset.clock) == ("none", 0, [], "wall")
    assert list(rows_between(dataset, 0, 0)) == []


def test_films_of_other_columns_are_ones_own_data(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    good = "".join(f"2,{item},3,900000002\n" for item in range(20))
    (folder / "ratings.csv").write_text(
        "user_id,item_id,rating,timestamp\n1,2,4.5,900000000\n" + good + "1,3,0.4,900000001\n"
    )
    (folder / "movies.csv").write_text("item_id,title,genres\n2,Heat,Crime|Drama\n")
    dataset = open_dataset(str(folder), tmp_path / "data", MOVIES)
    first = rows_of(dataset)[0]
    assert (first["user_id"], first["centi"], first["ts"]) == (1, 450, 900_000_000_000)
    assert dict(dataset.left_out) == {"a rating needs a number of stars from 0.5 to 5": 1}
    assert (dataset.items[0].title, dataset.items[0].labels) == ("Heat", ("Crime", "Drama"))
