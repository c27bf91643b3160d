"""Files of rows as tables: CSV (commas, tabs, semicolons), NDJSON and Parquet, batch by batch.

Columns of CSV are text, those of NDJSON text or lists of text or numbers; those of Parquet have the file's types. Nothing is
judged here but what is no row at all: that goes to the rejects.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
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
MAX_COLUMNS: Final = 1_000
_SCALAR, _LIST, _WORDS, _WHOLE_NUMBERS, _NUMBERS = (1 << at for at in range(5))
_NOTHING: Final = ["", "null", "NULL", "None", "NaN", "nan"]


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a file; of NDJSON those of all rows. Raises BadInput for a file that can't be read."""
    try:
        if path.suffix == PARQUET:
            return tuple(pq.ParquetFile(path).schema_arrow.names)
        if path.suffix in NDJSON:
            return tuple(_json_columns(path))
        return tuple(_header(path)[1])
    except (OSError, pa.ArrowException) as error:
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
    except (OSError, pa.ArrowException) as error:
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
            yield pa.table([_lists(batch.column(name)) for name in columns], names=list(columns))


def _lists(column: pa.Array) -> pa.Array:
    """A column of lists of whatever kind as one of plain lists, of text or of numbers; another column as it is."""
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return column
    value = kind.value_type
    if pa.types.is_dictionary(value):
        value = value.value_type
    if pa.types.is_null(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value):
        value = pa.string()
    return column.cast(pa.list_(value))


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


def _json_columns(path: Path) -> Mapping[str, pa.DataType]:
    """Column → its type, by all rows: text, or lists of text where one row has a list; of numbers where all lists have nothing
    else. Of a file with more columns than MAX_COLUMNS the first that come."""
    stat = path.stat()
    return _columns_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _columns_of(path: Path, _size: int, _changed_ns: int) -> Mapping[str, pa.DataType]:
    found: dict[str, int] = {}
    for row in _json_rows(path, Rejects()):
        for name, value in row.items():
            if name in found:
                found[name] |= _form(value)
            elif len(found) < MAX_COLUMNS:
                found[name] = _form(value)
    return {name: _type(forms) for name, forms in found.items()}


def _form(value: Any) -> int:
    """Bits for what a JSON value is."""
    if value is None:
        return 0
    if not isinstance(value, list):
        return _SCALAR
    forms = _LIST
    for each in value:
        if type(each) is float or (type(each) is int and abs(each) >= 1 << 63):
            forms |= _NUMBERS
        elif type(each) is int:
            forms |= _WHOLE_NUMBERS
        elif each is not None:
            forms |= _WORDS
    return forms


def _type(forms: int) -> pa.DataType:
    if not forms & _LIST:
        return pa.string()
    if forms & (_SCALAR | _WORDS) or not forms & (_WHOLE_NUMBERS | _NUMBERS):
        return pa.list_(pa.string())
    return pa.list_(pa.float64() if forms & _NUMBERS else pa.int64())


def _json_tables(path: Path, columns: Sequence[str], rejects: Rejects) -> Iterator[pa.Table]:
    types = _json_columns(path)
    schema = pa.schema([(name, types[name]) for name in columns])
    rows = _json_rows(path, rejects)
    while some := list(islice(rows, BATCH_ROWS)):
        yield pa.table([_column([row.get(each.name) for row in some], each.type) for each in schema], schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_list(kind):
        return pa.array([_plain(value) for value in values], kind)
    if not pa.types.is_string(kind.value_type):
        return pa.array(values, kind)
    lists = (_plain(value) for value in values)
    return pa.array([[each] if isinstance(each, str) else each for each in lists], kind)


def _plain(value: Any) -> Any:
    """A JSON value as text, or as a list of text."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return [text for each in value if isinstance(text := _plain(each), str)]
    return msgspec.json.encode(value).decode()
