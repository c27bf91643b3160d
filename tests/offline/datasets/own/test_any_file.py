"""Files of rows come out alike, whatever they are written in; what is no row is set aside."""

import json
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import BadInput
from offline.datasets.own.any_file import column_names, tables
from offline.datasets.rejected_lines import Rejects

ROWS = [("anna", "SKU-1", "1.5"), ("Zoë 商", 'a "b", c', None), ("7", "two\nlines", "2")]


def read(path: Path, columns: Sequence[str], rejects: Rejects | None = None) -> list[tuple[object, ...]]:
    found = pa.concat_tables(list(tables(path, columns, rejects or Rejects())))
    return list(zip(*(found[name].to_pylist() for name in columns), strict=True))


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_csv_of_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "rows.csv"
    lines = [["user", "item", "price", "more"]]
    lines += [[f'"{user}"', '"' + item.replace('"', '""') + '"', price or "", "x"] for user, item, price in ROWS]
    path.write_text("\ufeff" + "".join(delimiter.join(line) + "\n" for line in lines), encoding="utf-8")
    assert column_names(path) == ("user", "item", "price", "more")
    assert read(path, ("item", "user", "price")) == [(item, user, price) for user, item, price in ROWS]


def test_blanks_around_a_text_are_none_of_it_in_csv_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('item,title\n a , An apple \n"\tb",\n')
    assert read(tmp_path / "a.csv", ("item", "title"), Rejects()) == [("a", "An apple"), ("b", None)]
    (tmp_path / "a.ndjson").write_text('{"item": " a "}\n')
    assert read(tmp_path / "a.ndjson", ("item",), Rejects()) == [(" a ",)]


def test_ndjson_and_parquet(tmp_path: Path) -> None:
    lines = [{"user": user, "item": item, "price": price and float(price)} for user, item, price in ROWS]
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    assert read(path, ("user", "item", "price")) == [*ROWS[:2], ("7", "two\nlines", "2")]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "rows.parquet")
    found = read(tmp_path / "rows.parquet", ("user", "price"))
    assert found == [("anna", 1.5), ("Zoë 商", None), ("7", 2.0)]


def test_values_of_json_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": 7, "tags": ["a", null, 3], "ok": true, "deep": {"x": 1}}\n{"id": "b", "tags": "c"}\n')
    found = read(path, ("id", "tags", "ok", "deep"))
    assert found == [("7", ["a", "3"], "true", '{"x":1}'), ("b", ["c"], None, None)]


def test_columns_of_json_are_what_all_rows_say(tmp_path: Path) -> None:
    path = tmp_path / "items.ndjson"
    lines = ['{"id": 1, "look": [1, 2], "tags": null, "sizes": [1, 2], "mixed": [1]}'] * 120
    lines += [
        '{"id": 2, "look": [0.5, null], "tags": ["a"], "sizes": [3], "mixed": ["x", 1.5], "late": "y"}',
        '{"tags": []}',
    ]
    path.write_text("\n".join(lines))
    names = ("id", "look", "tags", "sizes", "mixed", "late")
    assert column_names(path) == names
    found = read(path, names)
    assert found[0] == ("1", [1.0, 2.0], None, [1, 2], ["1"], None)
    assert found[120:] == [("2", [0.5, None], ["a"], [3], ["x", "1.5"], "y"), (None, None, [], None, None, None)]
    path.write_text('{"id": 1, "tags": "a"}\n')
    assert column_names(path) == ("id", "tags"), "a file that changed is read again"


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.string(), 2)])
def test_lists_of_parquet_are_alike(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "items.parquet"
    rows = 1 if pa.types.is_fixed_size_list(kind) else 2  # pyarrow can't read a null among lists of a fixed size
    columns = {
        "tags": pa.array([["a", None], None][:rows], kind),
        "look": pa.array([[1.5, 2.0]] * rows, pa.list_(pa.float32(), 2)),
        "empty": pa.array([[], None][:rows], pa.list_(pa.null())),
    }
    pq.write_table(pa.table(columns), path)
    (table,) = tables(path, ("tags", "look", "empty"), Rejects())
    assert table.schema.types == [pa.list_(pa.string()), pa.list_(pa.float32()), pa.list_(pa.string())]
    assert table.to_pylist()[0] == {"tags": ["a", None], "look": [1.5, 2.0], "empty": []}


def test_json_lines_that_are_too_deep_are_set_aside_and_large_numbers_are_read(tmp_path: Path) -> None:
    rejects, path = Rejects(), tmp_path / "rows.ndjson"
    deep, huge = "[" * 100_000, 99999999999999999999999
    path.write_text(
        f'{{"user": 1, "look": [{huge}]}}\n{{"user": {deep}\n'
        f'{{"user": 2, "look": [1, null], "more": {"[" * 400 + "]" * 400}}}\n{deep}\n'
    )
    assert read(path, ("user", "look"), rejects) == [("1", [1e23]), ("2", [1.0, None])]
    assert rejects.count == 2
    assert read(path, ("more",), Rejects()) == [(None,), ([],)]


def test_an_id_that_a_gap_in_its_column_made_a_float_is_the_whole_number(tmp_path: Path) -> None:
    rows = [{"user": 7.0, "item": 1e3}, {"user": None, "item": 0.5}, {"user": -0.0, "item": 2.0**53}]
    (tmp_path / "rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path / "rows.ndjson", ("user", "item"))
    assert found == [("7", "1000"), (None, "0.5"), ("0", "9007199254740992.0")]


def test_floats_of_16_bits_are_read(tmp_path: Path) -> None:
    halves = np.array([1.5, 2.0], np.float16)
    columns = {"price": pa.array(halves), "look": pa.FixedSizeListArray.from_arrays(pa.array(halves), 1)}
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    (table,) = tables(tmp_path / "items.parquet", ("price", "look"), Rejects())
    assert table.schema.types == [pa.float32(), pa.list_(pa.float32())]
    assert table.to_pylist() == [{"price": 1.5, "look": [1.5]}, {"price": 2.0, "look": [2.0]}]


def test_lines_that_are_no_rows_are_set_aside(tmp_path: Path) -> None:
    rejects = Rejects()
    (tmp_path / "a.csv").write_text("user,item\n1,2\n3\n4,5,6\n7,8\n")
    assert read(tmp_path / "a.csv", ("user", "item"), rejects) == [("1", "2"), ("7", "8")]
    assert rejects.count == 2
    (tmp_path / "a.ndjson").write_bytes(b'{"user": 1}\n[1]\n{"user"\n{"user": "\xff"}\n{"user": 2}\n')
    assert read(tmp_path / "a.ndjson", ("user",), rejects) == [("1",), ("2",)]
    assert rejects.count == 5
    text = rejects.write(tmp_path / "bad").read_text()
    assert "a.csv\t1 fields, expected 2\t3" in text
    assert "a.ndjson\tno JSON object\t[1]" in text


def test_text_that_is_not_utf8_is_read_all_the_same_and_remarked(tmp_path: Path) -> None:
    rejects = Rejects()
    (tmp_path / "a.csv").write_bytes("item,title\n1,José\n2,Jan\n3,Zoë\n4\n".encode("latin-1") + b"\xfc\n")
    assert read(tmp_path / "a.csv", ("item", "title"), rejects) == [("1", "Jos\ufffd"), ("2", "Jan"), ("3", "Zo\ufffd")]
    assert rejects.count == 2
    assert rejects.remarks() == [
        "2 values of a.csv are no UTF-8, which files are expected to be, the first in the column title: what could not be read "
        "became \ufffd, and rows of such ids are left out"
    ]


def test_ids_are_not_merged_where_they_are_not_utf8(tmp_path: Path) -> None:
    rejects = Rejects()
    (tmp_path / "a.csv").write_bytes("user,item\nMüller,1\nMöller,1\nJan,2\n".encode("latin-1") + b"\xef\xbf\xbd,3\n")
    (found,) = tables(tmp_path / "a.csv", ("user", "item"), rejects, ids=("user",))
    assert found["user"].to_pylist() == ["Jan", "\ufffd"], "the last is UTF-8: that letter itself"
    assert rejects.count == 2
    assert "a.csv\tan id that is no UTF-8\tM\ufffdller,1\n" in rejects.write(tmp_path / "bad").read_text()
    assert len(rejects.remarks()) == 1


def test_a_byte_order_mark_is_no_part_of_ndjson(tmp_path: Path) -> None:
    rejects = Rejects()
    (tmp_path / "a.ndjson").write_bytes(BOM_UTF8 + b'{"user": 1}\n{"user": 2}\n')
    assert read(tmp_path / "a.ndjson", ("user",), rejects) == [("1",), ("2",)]
    assert rejects.count == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_two_columns_of_one_name_are_refused_where_they_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        path.write_text("id,price,price,,\n1,2,3,4,5\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array([at]) for at in "123"], names=["id", "price", "price"]), path)
    assert column_names(path) == ("id", "price", "price")
    assert read(path, ("id",)) == [("1",)]
    with pytest.raises(BadInput, match=rf"a\.{suffix}: expected columns of different names, got 2 columns price"):
        read(path, ("id", "price"))


def test_what_is_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n")
    with pytest.raises(BadInput, match=r"a\.csv: expected a column price, got user, item"):
        read(tmp_path / "a.csv", ("price",))
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(BadInput, match="got an empty file"):
        read(tmp_path / "b.csv", ("price",))
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="expected a readable file"):
        column_names(tmp_path / "c.parquet")
