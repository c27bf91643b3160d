"""Rows of a delimited file that are whole: a quote that nothing closes costs its own line, never those that follow.

A field may be in quotes, with a quote in it doubled, and may then hold delimiters and newlines. Files that quote nothing hold
quotes as letters, and whoever takes the first letter of `"Heroes` for an opening quote takes all rows up to the next one for part
of the field. So a row of several lines is one only where its quote closes before a delimiter or at a line's end, within
`LINE_LIMIT` bytes, and the row then has as many fields as the header; else its first line is rejected, and reading goes on in
the second. Rows of several lines are remarked: of a file that quotes nothing they may be such by accident.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pacsv

from features.errors import BadInput
from offline.datasets.rejected_lines import Rejects

DELIMITERS: Final = ",\t;|"
BLOCK_BYTES: Final = 8 << 20
LINE_LIMIT: Final = 1 << 20
"""Bytes of a line, and of a row of several lines."""
UNCLOSED: Final = "a quote that nothing closes (of a file that does not quote say quotes = false in dataset.toml)"
SEVERAL_LINES: Final = (
    "{count:,} rows of {file} go over several lines, as a field in quotes may, the first from line {first} on: where the file "
    "does not quote, say quotes = false of it in dataset.toml"
)
_HEADER: Final = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|)")
_INSIDE: Final = re.compile(rb'(?:[^"]|"")*+')
_NOTHING: Final = [
    "", "null", "NULL", "Null", "None", "NaN", "nan", "NaT", "NA", "N/A", "n/a", "#N/A", "<NA>", "\\N",
]  # fmt: skip
"""What stands for nothing in files of databases (\\N), of R (NA), of pandas and of spreadsheets."""


def header(path: Path, quotes: bool) -> tuple[str, list[str]]:
    """(delimiter, column names) of a file: the delimiter is the one that the first line has more of than of the others. Raises
    OSError for a file that can't be opened."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline(LINE_LIMIT)
    delimiter = max(DELIMITERS, key=line.count)
    if not quotes:
        return delimiter, next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
    return delimiter, next(csv.reader([line], delimiter=delimiter), [])


def read_csv(
    path: Path, columns: Sequence[str], rejects: Rejects, quotes: bool, block_bytes: int = BLOCK_BYTES
) -> Iterator[pa.Table]:
    """Tables of bytes, null where there is nothing, with these columns in this order. quotes: whether fields may be in quotes;
    block_bytes: of the file that are read at a time.

    Raises BadInput for a line of more than LINE_LIMIT bytes, OSError and ArrowException for a file that can't be read."""
    yield from _Reader(path, columns, rejects, quotes).tables(block_bytes)


def _fields_expected(found: int, expected: int) -> str:
    return f"{found} fields, expected {expected}"


class _Reader:
    """One pass over the rows below a file's header."""

    def __init__(self, path: Path, columns: Sequence[str], rejects: Rejects, quotes: bool) -> None:
        delimiter, self._names = header(path, quotes)
        self._path, self._columns, self._rejects, self._quotes = path, columns, rejects, quotes
        self._delimiter = delimiter.encode()
        starts = rb"(?:^|(?<=[%s\r\n]))" % re.escape(self._delimiter)
        self._opening = re.compile(starts + rb'"')
        self._quoted = re.compile(starts + rb'"(?:[^"]|"")*+"')
        self._line = 2  # of the file, from 1 on: the next to be read

    def tables(self, size: int) -> Iterator[pa.Table]:
        """Tables of the rows in `size` bytes each, and what completes the last of them."""
        rest, last = b"", False
        with self._path.open("rb") as file:
            file.seek(_HEADER.match(file.readline(LINE_LIMIT)).end())  # type: ignore[union-attr]
            while not last:
                block = file.read(size)
                last = len(block) < size
                end = file.readline(LINE_LIMIT)
                if len(end) == LINE_LIMIT:
                    raise BadInput(str(self._path), f"lines of less than {LINE_LIMIT} bytes", "a longer one")
                table, rest = self._read(rest + block + end, last)
                if table is not None:
                    yield table

    def _read(self, block: bytes, last: bool) -> tuple[pa.Table | None, bytes]:
        """The rows of a block of lines, and the lines that more must come for; at the file's `last` block none."""
        is_utf8, rest = _is_utf8(block), b""
        table, skipped = self._parsed(block) if is_utf8 and block else (None, [])
        if table is None or not self._is_a_row_each(block, len(table) + len(skipped)):
            block, rest = self._whole_rows(block, last, is_utf8)
            table, skipped = self._parsed(block) if block else (None, [])
        else:
            self._line += len(table) + len(skipped)
        for row in skipped:
            self._rejects.add(self._path.name, _fields_expected(row.actual_columns, row.expected_columns), row.text)
        return table, rest

    def _parsed(self, block: bytes) -> tuple[pa.Table, list[pacsv.InvalidRow]]:
        """The rows of a block that is not empty, and those that have another number of fields than the header."""
        skipped: list[pacsv.InvalidRow] = []

        def skip(row: pacsv.InvalidRow) -> str:
            skipped.append(row)
            return "skip"

        table = pacsv.read_csv(
            pa.BufferReader(block),
            pacsv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(block) + 1),
            pacsv.ParseOptions(
                delimiter=self._delimiter.decode(),
                quote_char='"' if self._quotes else False,
                newlines_in_values=self._quotes,
                invalid_row_handler=skip,
            ),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(self._columns, pa.binary()),
                include_columns=list(self._columns),
                null_values=_NOTHING,
                strings_can_be_null=True,
            ),
        )
        return table, skipped

    def _is_a_row_each(self, block: bytes, rows: int) -> bool:
        """Whether each line of a block is one of its `rows`, the last one to its end."""
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        if block.count(b"\r") != block.count(b"\r\n"):
            return False
        return lines == rows and not self._opens(block[block.rfind(b"\n", 0, -1) + 1 :])

    def _whole_rows(self, block: bytes, last: bool, is_utf8: bool) -> tuple[bytes, bytes]:
        """The lines of a block that are whole rows, of one that is no UTF-8 those with the right number of fields; and the lines
        that more must come for."""
        lines, at = block.splitlines(keepends=True), 0
        good: list[bytes] = []
        while at < len(lines):
            count = self._lines_of_row(lines, at, last)
            if count is None:
                break
            if not count:
                self._reject(UNCLOSED, lines[at])
            elif is_utf8 or self._is_good(b"".join(lines[at : at + count])):
                good += lines[at : at + count]
            if count > 1:
                self._rejects.remark(SEVERAL_LINES, self._path.name, first=str(self._line))
            self._line += count or 1
            at += count or 1
        return b"".join(good), b"".join(lines[at:])

    def _lines_of_row(self, lines: Sequence[bytes], at: int, last: bool) -> int | None:
        """How many of the lines the row has that begins with lines[at]; 0 where its quote is not closed as it should be, None
        where that is not known until more lines come."""
        if not self._opens(lines[at]):
            return 1
        size = len(lines[at])
        for count in range(2, len(lines) - at + 1):
            line = lines[at + count - 1]
            size += len(line)
            if size > LINE_LIMIT:
                return 0
            end = _INSIDE.match(line).end() if b'"' in line else len(line)  # type: ignore[union-attr]
            if end == len(line):
                continue
            if line[end + 1 : end + 2] not in (b"", b"\r", b"\n", self._delimiter):
                return 0
            if not self._opens(line[end + 1 :]):
                return count if self._fields(b"".join(lines[at : at + count])) == len(self._names) else 0
        return 0 if last else None

    def _opens(self, line: bytes) -> bool:
        """Whether a line, or the end of one behind a closing quote, has an opening quote that it does not close."""
        return self._quotes and b'"' in line and self._opening.search(self._quoted.sub(b"", line)) is not None

    def _fields(self, row: bytes) -> int:
        return (self._quoted.sub(b"", row) if self._quotes else row).count(self._delimiter) + 1

    def _is_good(self, row: bytes) -> bool:
        """Whether a row has as many fields as the header, or is empty; another is rejected."""
        found = self._fields(row)
        if found == len(self._names) or not row.strip(b"\r\n"):
            return True
        self._reject(_fields_expected(found, len(self._names)), row)
        return False

    def _reject(self, why: str, line: bytes) -> None:
        self._rejects.add(self._path.name, why, line.decode("utf-8", "replace").rstrip("\r\n"))


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
