"""Files of rows as tables: CSV (commas, tabs, semicolons), NDJSON and Parquet, batch by batch.

Columns of CSV and NDJSON are text, or lists of text; those of Parquet have the file's types. Nothing is judged here but what is
no row at all: that goes to the rejects.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.errors import BadInput
from offline.datasets.rejected_lines import Rejects

NDJSON: Final = (".ndjson", ".jsonl", ".json")
DELIMITED: Final = (".csv", ".tsv", ".txt")
PARQUET: Final = ".parquet"
SUFFIXES: Final = (*DELIMITED, *NDJSON, PARQUET)
DELIMITERS: Final = ",\t;|"
BLOCK_BYTES: Final = 8 << 20
BATCH_ROWS: Final = 50_000
LINE_LIMIT: Final = 1 << 20
"""Bytes of a header line or of an NDJSON row."""
_NOTHING: Final = ["", "null", "NULL", "None", "NaN", "nan"]


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a file; of NDJSON those of its first 100 rows. Raises BadInput for a file that can't be read."""
    try:
        if path.suffix == PARQUET:
            return tuple(pq.ParquetFile(path).schema_arrow.names)
        if path.suffix in NDJSON:
            return _json_names(path)
        return tuple(_header(path)[1])
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(str(path), "a readable file", str(error).splitlines()[0]) from error


def tables(path: Path, columns: Sequence[str], rejects: Rejects) -> Iterator[pa.Table]:
    """The rows, with these columns in this order, in tables of bounded size. Raises BadInput for a file that can't be read or
    lacks a column."""
    present = column_names(path)
    missing = [name for name in columns if name not in present]
    if missing:
        raise BadInput(str(path), f"a column {missing[0]}", ", ".join(present)[:200] or "an empty file")
    try:
        if path.suffix == PARQUET:
            yield from _parquet_tables(path, columns)
        elif path.suffix in NDJSON:
            yield from _json_tables(path, columns, rejects)
        else:
            yield from _csv_tables(path, columns, rejects)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(str(path), "a readable file", str(error).splitlines()[0]) from error


def _header(path: Path) -> tuple[str, list[str]]:
    """(delimiter, column names): the delimiter is the one that the first line has more of than of the others."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline(LINE_LIMIT)
    delimiter = max(DELIMITERS, key=line.count)
    return delimiter, next(csv.reader([line], delimiter=delimiter), [])


def _csv_tables(path: Path, columns: Sequence[str], rejects: Rejects) -> Iterator[pa.Table]:
    def skip(row: pacsv.InvalidRow) -> str:
        rejects.add(path.name, f"{row.actual_columns} fields, expected {row.expected_columns}", row.text)
        return "skip"

    reader = pacsv.open_csv(
        path,
        pacsv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        pacsv.ParseOptions(delimiter=_header(path)[0], newlines_in_values=True, invalid_row_handler=skip),
        pacsv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.binary()),
            include_columns=list(columns),
            null_values=_NOTHING,
            strings_can_be_null=True,
        ),
    )
    for batch in reader:
        yield pa.table([_utf8(column) for column in batch.columns], names=list(columns))


def _utf8(column: pa.Array) -> pa.Array:
    """Bytes as text; what is no UTF-8 becomes replacement characters."""
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        decoded = [None if value is None else value.decode("utf-8", "replace") for value in column.to_pylist()]
        return pa.array(decoded, pa.string())


def _parquet_tables(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns)):
            yield pa.Table.from_batches([batch]).select(list(columns))


def _json_rows(path: Path, rejects: Rejects) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        while line := file.readline(LINE_LIMIT):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                row = None
            if isinstance(row, dict):
                yield row
            else:
                rejects.add(path.name, "no JSON object", line.decode("utf-8", "replace").rstrip())


def _json_names(path: Path) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for number, row in enumerate(_json_rows(path, Rejects())):
        if number >= 100:
            break
        names |= dict.fromkeys(row)
    return tuple(names)


def _json_tables(path: Path, columns: Sequence[str], rejects: Rejects) -> Iterator[pa.Table]:
    rows: list[list[Any]] = []
    for row in _json_rows(path, rejects):
        rows.append([_plain(row.get(name)) for name in columns])
        if len(rows) >= BATCH_ROWS:
            yield _table(rows, columns)
            rows = []
    if rows:
        yield _table(rows, columns)


def _table(rows: list[list[Any]], columns: Sequence[str]) -> pa.Table:
    return pa.table([_column(list(values)) for values in zip(*rows, strict=True)], names=list(columns))


def _column(values: list[Any]) -> pa.Array:
    if any(isinstance(value, list) for value in values):
        lists = [value if isinstance(value, list) or value is None else [value] for value in values]
        return pa.array(lists, pa.list_(pa.string()))
    return pa.array(values, pa.string())


def _plain(value: Any) -> Any:
    """A JSON value as text, or as a list of text."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return [text for each in value if isinstance(text := _plain(each), str)]
    return msgspec.json.encode(value).decode()
