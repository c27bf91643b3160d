"""Raw files of a data set as columns: CSV, Parquet, MovieLens' `::` files and recbole's typed tab-separated ones.

Reading a delimited file takes the fast way first, straight into numbers; only where a value does not fit is it read
once more, as text, and each value judged by `offline.datasets.movielens.column_parsing`.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.errors import BadInput
from offline.datasets.rejected_lines import Rejects


class Layout(NamedTuple):
    """The format of a delimited file. `names` are the columns wanted, in our order; `header` all columns where the
    file itself has no header line."""

    delimiter: str
    names: tuple[str, ...]
    header: tuple[str, ...] = ()
    quotes: bool = False
    encoding: str = "utf8"


RATINGS: Final = {
    ".csv": Layout(",", ("userId", "movieId", "rating", "timestamp"), quotes=True),
    ".parquet": Layout("", ("userId", "movieId", "rating", "timestamp")),
    # Read with ":" as the delimiter, "::" leaves an empty column between two.
    ".dat": Layout(
        ":",
        ("userId", "movieId", "rating", "timestamp"),
        ("userId", "", "movieId", " ", "rating", "  ", "timestamp"),
    ),
    ".inter": Layout("\t", ("user_id:token", "item_id:token", "rating:float", "timestamp:float")),
}
MOVIES: Final = {
    ".csv": Layout(",", ("movieId", "title", "genres"), quotes=True),
    ".parquet": Layout("", ("movieId", "title", "genres")),
    ".dat": Layout("::", ("movieId", "title", "genres"), encoding="latin-1"),
    ".item": Layout("\t", ("item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq")),
}


def read_columns(path: Path, layout: Layout, types: Sequence[pa.DataType], rejects: Rejects) -> tuple[pa.Table, int]:
    """The wanted columns, in the layout's order, and how many lines did not have as many fields as the header.

    A column of a delimited file has the wanted type, or is text where some value does not fit it; one of a Parquet
    file has the file's type. Raises BadInput if the file can't be read, is empty or lacks a column.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path, layout), 0
    if not layout.header:
        _check_header(path, layout)
    wanted = dict(zip(layout.names, types, strict=True))
    try:
        return _read_delimited(path, layout, wanted, rejects)
    except pa.ArrowInvalid:
        return _read_delimited(path, layout, dict.fromkeys(wanted, pa.binary()), rejects)


def _read_delimited(
    path: Path, layout: Layout, types: dict[str, pa.DataType], rejects: Rejects
) -> tuple[pa.Table, int]:
    torn: list[str] = []
    count = 0

    def skip(row: pacsv.InvalidRow) -> str:
        nonlocal count
        count += 1
        if len(torn) < rejects.room:
            torn.append(row.text)
        return "skip"

    try:
        table = pacsv.read_csv(
            path,
            pacsv.ReadOptions(column_names=list(layout.header) or None, encoding=layout.encoding, block_size=8 << 20),
            pacsv.ParseOptions(
                delimiter=layout.delimiter, quote_char='"' if layout.quotes else False, invalid_row_handler=skip
            ),
            pacsv.ConvertOptions(column_types=types, include_columns=list(types), check_utf8=False, null_values=[]),
        )
    except pa.ArrowInvalid:
        if pa.binary() in types.values():
            raise BadInput(str(path), f"lines of {', '.join(layout.names)}", "something else, or nothing") from None
        raise
    except OSError as error:
        raise BadInput(str(path), "a readable file", str(error)) from error
    rejects.count += count
    for text in torn:
        rejects.keep(path.name, "wrong number of fields", text)
    return table, count


def _check_header(path: Path, layout: Layout) -> None:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.readline(65536)
    except OSError as error:
        raise BadInput(str(path), "a readable file", str(error)) from error
    header = next(csv.reader([line], delimiter=layout.delimiter), [])
    if any(name not in header for name in layout.names):
        raise BadInput(str(path), f"the columns {','.join(layout.names)}", ",".join(header)[:200] or "an empty file")


def _read_parquet(path: Path, layout: Layout) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
        if any(name not in file.schema_arrow.names for name in layout.names):
            raise BadInput(str(path), f"the columns {','.join(layout.names)}", ",".join(file.schema_arrow.names)[:200])
        return file.read(columns=list(layout.names)).select(list(layout.names))
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(str(path), "a Parquet file", str(error).splitlines()[0]) from error


def text(value: object) -> str:
    """A raw value as it would stand in a line."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def line_of(table: pa.Table, row: int, delimiter: str) -> str:
    """A row written as a line again, for the file of rejected lines."""
    return (delimiter or ",").join(text(column[row].as_py()) for column in table.columns)


def is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
