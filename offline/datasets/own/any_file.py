"""Files of rows as tables: CSV (commas, tabs, semicolons), NDJSON and Parquet, batch by batch.

Columns of CSV are text in UTF-8, without blanks around it, those of NDJSON text or lists of text or numbers; those of Parquet
have the file's types.
Nothing is judged here but what is no row at all, or has ids that can't be told apart: that goes to the rejects.
"""

from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrays import BoolArray
from features.contracts.json_contract import read_json
from features.errors import BadEvent, BadInput
from offline.datasets.own.csv_rows import LINE_LIMIT, header, read_csv
from offline.datasets.own.typed_columns import EXACT_BELOW
from offline.datasets.rejected_lines import Rejects

NDJSON: Final = (".ndjson", ".jsonl", ".json")
DELIMITED: Final = (".csv", ".tsv", ".txt")
PARQUET: Final = ".parquet"
SUFFIXES: Final = (*DELIMITED, *NDJSON, PARQUET)
BATCH_ROWS: Final = 50_000
MAX_COLUMNS: Final = 1_000
_SCALAR, _LIST, _WORDS, _WHOLE_NUMBERS, _NUMBERS = (1 << at for at in range(5))
NOT_UTF8: Final = (
    "{count:,} values of {file} are no UTF-8, which files are expected to be, the first in the column {first}: what could not be "
    "read became \ufffd, and rows of such ids are left out"
)
_ROW: Final = msgspec.json.Decoder(dict[str, Any])
BAD_ID_BYTES: Final = "an id that is no UTF-8"


def column_names(path: Path, quotes: bool = True) -> tuple[str, ...]:
    """The columns of a file that have a name; of NDJSON those of all rows. quotes: whether a field of CSV may be in quotes; else
    quotes are letters. Raises BadInput for a file that can't be read."""
    try:
        if path.suffix.lower() == PARQUET:
            return tuple(pq.ParquetFile(path).schema_arrow.names)
        if path.suffix.lower() in NDJSON:
            return tuple(_json_columns(path))
        return tuple(filter(None, header(path, quotes)[1]))
    except (OSError, pa.ArrowException) as error:
        raise BadInput(str(path), "a readable file", str(error).splitlines()[0]) from error


def tables(
    path: Path, columns: Sequence[str], rejects: Rejects, ids: Collection[str] = (), quotes: bool = True
) -> Iterator[pa.Table]:
    """The rows, with these columns in this order, in tables of bounded size.

    ids: columns whose bytes must be UTF-8, as two ids are one where what they differ in is lost: rows in which they are not are
    rejected; elsewhere replacement characters stand for what is no UTF-8, and it is remarked. quotes: see `column_names`.
    Raises BadInput for a file that can't be read, that lacks a column, or has one twice."""
    present = column_names(path, quotes)
    for name in columns:
        if name not in present:
            raise BadInput(str(path), f"a column {name}", ", ".join(present)[:200] or "an empty file")
        if (count := present.count(name)) > 1:
            raise BadInput(str(path), "columns of different names", f"{count} columns {name}")
    try:
        if path.suffix.lower() == PARQUET:
            yield from _parquet_tables(path, columns)
        elif path.suffix.lower() in NDJSON:
            yield from _json_tables(path, columns, rejects)
        else:
            yield from _csv_tables(path, columns, rejects, ids, quotes)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(str(path), "a readable file", str(error).splitlines()[0]) from error


def _csv_tables(
    path: Path, columns: Sequence[str], rejects: Rejects, ids: Collection[str], quotes: bool
) -> Iterator[pa.Table]:
    for table in read_csv(path, columns, rejects, quotes):
        good = np.ones(len(table), bool)
        decoded = []
        for name in columns:
            text, lost = _utf8(table[name])
            decoded.append(text)
            if lost.any():
                rejects.remark(NOT_UTF8, path.name, first=name, count=int(lost.sum()))
                good &= ~lost if name in ids else True
        found = pa.table(decoded, names=list(columns))
        for row in np.flatnonzero(~good)[: rejects.room].tolist():
            rejects.keep(path.name, BAD_ID_BYTES, ",".join(str(column[row].as_py()) for column in found.columns))
        rejects.count += int((~good).sum())
        yield found if good.all() else found.filter(pa.array(good))


def _utf8(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, BoolArray]:
    """Bytes as text without blanks around it, what is no UTF-8 as replacement characters; and [n] which values are none."""
    try:
        return pc.utf8_trim_whitespace(column.cast(pa.string())), np.zeros(len(column), bool)
    except pa.ArrowInvalid:
        pairs = [_decoded(value) for value in column.to_pylist()]
        text = pa.chunked_array([pa.array([text for text, _ in pairs], pa.string())])
        return pc.utf8_trim_whitespace(text), np.array([lost for _, lost in pairs])


def _decoded(value: bytes | None) -> tuple[str | None, bool]:
    if value is None:
        return None, False
    try:
        return value.decode(), False
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace"), True


def _parquet_tables(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns)):
            yield pa.table([_lists(batch.column(name)) for name in columns], names=list(columns))


def _lists(column: pa.Array) -> pa.Array:
    """A column of lists of whatever kind as one of plain lists, of text or of numbers; another column as it is, but for floats of
    16 bits, with which Arrow can't compute."""
    kind = column.type
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return column
    value = kind.value_type
    if pa.types.is_dictionary(value):
        value = value.value_type
    if pa.types.is_null(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value):
        value = pa.string()
    if pa.types.is_float16(value):
        value = pa.float32()
    return column.cast(pa.list_(value))


def _json_rows(path: Path, rejects: Rejects) -> Iterator[dict[str, Any]]:
    is_first = True
    with path.open("rb") as file:
        if file.read(len(BOM_UTF8)) != BOM_UTF8:
            file.seek(0)
        while line := file.readline(LINE_LIMIT):
            if not line.strip():
                continue
            if is_first and line.lstrip().startswith(b"["):
                raise BadInput(str(path), "one JSON object a line", "an array")
            is_first = False
            try:
                row = read_json(_ROW, line, "a row")
            except BadEvent:
                rejects.add(path.name, "no JSON object", line.decode("utf-8", "replace").rstrip())
            else:
                yield row


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
        return pa.array([_numbers(value, kind) for value in values], kind)
    lists = (_plain(value) for value in values)
    return pa.array([[each] if isinstance(each, str) else each for each in lists], kind)


def _plain(value: Any) -> Any:
    """A JSON value as text, or as a list of text."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return [text for each in value if not isinstance(each, list) and isinstance(text := _plain(each), str)]
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_BELOW:
        return str(int(value))  # as `texts` has it of Parquet: a column with gaps made it a float
    return msgspec.json.encode(value).decode()


def _numbers(value: list[Any] | None, kind: pa.DataType) -> list[Any] | None:
    """A JSON list of numbers as the column has them: Arrow takes no whole number of more than 64 bits for a float."""
    if value is None or not pa.types.is_floating(kind.value_type):
        return value
    return [None if each is None else float(each) for each in value]
