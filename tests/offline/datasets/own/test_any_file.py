"""Files of rows come out alike, whatever they are written in; what is no row is set aside."""

import json
from collections.abc import Sequence
from pathlib import Path

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


def test_ndjson_and_parquet(tmp_path: Path) -> None:
    lines = [{"user": user, "item": item, "price": price and float(price)} for user, item, price in ROWS]
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    assert read(path, ("user", "item", "price")) == [*ROWS[:2], ("7", "two\nlines", "2.0")]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "rows.parquet")
    found = read(tmp_path / "rows.parquet", ("user", "price"))
    assert found == [("anna", 1.5), ("Zoë 商", None), ("7", 2.0)]


def test_values_of_json_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": 7, "tags": ["a", null, 3], "ok": true, "deep": {"x": 1}}\n{"id": "b", "tags": "c"}\n')
    found = read(path, ("id", "tags", "ok", "deep"))
    assert found == [("7", ["a", "3"], "true", '{"x":1}'), ("b", ["c"], None, None)]


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


def test_text_that_is_not_utf8_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("user,item\nJosé,1\n".encode("latin-1"))
    assert read(tmp_path / "a.csv", ("user", "item")) == [("Jos\ufffd", "1")]


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
