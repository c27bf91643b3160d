"""Click sessions from files: CSV (with commas, semicolons or tabs), NDJSON or Parquet, with named columns; `.gz` as well."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import IntArray
from features.errors import BadInput
from features.units import ends_session

COLUMNS: Final = {
    "item": ("itemid", "item", "productid", "sku", "movieid"),
    "time": ("ts", "timestamp", "time", "eventtime", "date"),
    "session": ("sessionid", "session"),
    "user": ("userid", "user", "visitorid", "visitor"),
    "kind": ("type", "kind", "event", "eventtype", "action"),
}
"""What a column may be called, in small letters and without anything but letters and digits; the first one found counts."""
KIND_NAMES: Final = {"addtocart": "add_to_cart", "transaction": "purchase"}
"""Kinds of well-known logs (RetailRocket), and what the preset `shop` calls them."""
CLICK: Final = "click"
"""The kind of rows without one."""
DELIMITERS: Final = ",;\t"
SUFFIXES: Final = (".csv", ".tsv", ".ndjson", ".jsonl", ".json", ".parquet")
_SECONDS, _MILLIS = 1e11, 1e14
"""Numbers below are seconds, or milliseconds; larger ones are microseconds."""


class Click(NamedTuple):
    """One row: numbers of user, session and item, the kind's name, ms."""

    user: int
    session: int
    item: int
    kind: str
    ts: int


@dataclass(frozen=True)
class ClickLog:
    """Rows in the order of time, those of one time in the order of the files.

    users, sessions, items  [R] numbers from 0, in the order of first appearance
    kinds                   [R] names
    times                   [R] ms
    user_ids, item_ids      the ids as they stand in the files, by number
    """

    users: IntArray
    sessions: IntArray
    items: IntArray
    kinds: tuple[str, ...]
    times: IntArray
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Click]:
        columns = (self.users.tolist(), self.sessions.tolist(), self.items.tolist(), self.kinds, self.times.tolist())
        return map(Click._make, zip(*columns, strict=True))

    def cut(self, share: float) -> int:
        """The time (ms) before which `share` of the rows lie, or a few less where rows share it."""
        return int(self.times[min(int(share * len(self)), len(self) - 1)])


class _Row(NamedTuple):
    ts: int
    user: str
    session: str
    item: str
    kind: str


def read_click_log(paths: Sequence[Path]) -> ClickLog:
    """Read files, and all files in folders. Sessions are those of the column; without one, a user's rows with no silence longer
    than half an hour between them. Without a user column each session is a user's.

    Raises BadInput for a file or row that can't be read, or where there is none.
    """
    files = [file for path in paths for file in _files(path)]
    rows = [row for file in files for row in _rows(file)]
    if not rows:
        raise BadInput(", ".join(map(str, paths)), "click sessions", "no row")
    rows.sort(key=lambda row: row.ts)
    users, items, sessions = _Numbers(), _Numbers(), _Numbers()
    last: dict[str, tuple[int, int]] = {}
    columns: list[tuple[int, int, int]] = []
    for row in rows:
        session = row.session
        if not session:
            ts, count = last.get(row.user, (row.ts, 0))
            count += ends_session(row.ts - ts)
            last[row.user] = (row.ts, count)
            session = str(count)
        columns.append((users.of(row.user), sessions.of(f"{row.user}\0{session}"), items.of(row.item)))
    of_rows = np.array(columns, np.int64)
    return ClickLog(
        of_rows[:, 0],
        of_rows[:, 1],
        of_rows[:, 2],
        tuple(row.kind for row in rows),
        np.array([row.ts for row in rows], np.int64),
        users.ids(),
        items.ids(),
    )


class _Numbers:
    """Numbers of texts in the order of first appearance."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    def of(self, text: str) -> int:
        return self._of.setdefault(text, len(self._of))

    def ids(self) -> tuple[str, ...]:
        return tuple(self._of)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.name.removesuffix(".gz").endswith(SUFFIXES))


def _rows(path: Path) -> Iterator[_Row]:
    names: dict[str, str] | None = None
    for number, fields in _records(path):
        names = _columns(path, [str(name) for name in fields]) if names is None else names
        where = f"{path}, row {number}"
        values = {what: _text(fields.get(column)) for what, column in names.items()}
        if not values["item"]:
            raise BadInput(where, f"a value in {names['item']}", "none")
        session = values.get("session", "")
        user = values.get("user", "") or session
        if not user:
            raise BadInput(where, "a user or a session", "neither")
        kind = values.get("kind", "") or CLICK
        yield _Row(_time(where, values["time"]), user, session, values["item"], KIND_NAMES.get(kind, kind))


def _columns(path: Path, names: list[str]) -> dict[str, str]:
    """Which column holds what. Raises BadInput where items, times or both users and sessions have none."""
    bare = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    found = {what: next((bare[each] for each in known if each in bare), "") for what, known in COLUMNS.items()}
    if not (found["item"] and found["time"] and (found["user"] or found["session"])):
        raise BadInput(str(path), "columns item_id, ts, and session_id or user_id", ", ".join(names)[:200] or "none")
    return {what: name for what, name in found.items() if name}


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, fields by name) of each row, from 1."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in SUFFIXES:
        raise BadInput(str(path), "a file that ends in " + ", ".join(SUFFIXES), suffix or path.name)
    try:
        if suffix == ".parquet":
            for number, fields in enumerate(pq.read_table(path).to_pylist(), 1):
                yield number, fields
            return
        with _open(path) as file:
            if suffix in (".csv", ".tsv"):
                header = file.readline()
                if not header.strip():
                    raise BadInput(str(path), "a header line", "none")
                delimiter = max(DELIMITERS, key=header.count)
                reader = csv.DictReader(file, next(csv.reader([header], delimiter=delimiter)), delimiter=delimiter)
                yield from enumerate(reader, 1)
            else:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, msgspec.json.decode(line, type=dict[str, Any])
    except (
        OSError,
        EOFError,
        zlib.error,
        UnicodeDecodeError,
        csv.Error,
        msgspec.DecodeError,
        pa.ArrowException,
    ) as error:
        raise BadInput(str(path), "a readable file of rows", str(error) or "nothing") from error


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _time(where: str, text: str) -> int:
    """A time as ms: a number of seconds, ms or µs since 1970, or a date with or without a time of day, in UTC unless it says."""
    try:
        number = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadInput(where, "a time: a number, or a date of ISO 8601", text[:80] or "nothing") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    if not 0 <= number < 1e18:
        raise BadInput(where, "a time since 1970", text[:80])
    return round(number * 1000 if number < _SECONDS else number if number < _MILLIS else number / 1000)
