"""Which files of a folder are what, and which of their columns: by names alone, so that everybody can foresee it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from features.errors import BadInput
from features.schema.document import FILE as SCHEMA_FILE
from offline.datasets.dataset_names import name_of_folder
from offline.datasets.own import known_names
from offline.datasets.own.any_file import SUFFIXES, column_names
from offline.datasets.own.description import FILE, Description, EventFile, ItemFile, UserFile
from offline.datasets.own.known_names import column_of
from offline.datasets.rejected_lines import Rejects

EVENTS, ITEMS, USERS = "events", "items", "users"
_STEMS: Final = {
    EVENTS: ("event", "interaction", "rating", "click", "purchase", "view", "transaction", "order", "like"),
    ITEMS: ("item", "product", "movie", "article", "video", "catalog", "song", "book", "new"),
    USERS: (
        "user",
        "customer",
        "visitor",
        "member",
        "profile",
        "people",
        "person",
        "account",
        "subscriber",
        "reader",
        "viewer",
    ),
}
"""Beginnings of files' names that say what is in them where columns leave it open."""
_MEANINGS: Final = (FILE, SCHEMA_FILE)
"""Names of files in a folder that hold no data, but what it means."""
EXPECTED: Final = (
    "files of events (columns such as user_id, item_id, timestamp, and type) and of items (item_id, title, …), as "
    ".csv, .tsv, .ndjson or .parquet"
)


LEFT_OUT: Final = "{file} is left out: {first}"
"""A remark on a file that is not read; `first` is why."""


class Found(NamedTuple):
    """What the recogniser makes of files.

    description  of those that it knows
    ignored      (file, why) of those that it does not know, and of folders in a folder
    """

    description: Description
    ignored: tuple[tuple[Path, str], ...]

    def remark_left_out(self, rejects: Rejects, more: Sequence[tuple[Path, str]] = ()) -> None:
        """Remark which files are not read, and why. more: (file, why) of those that turned out to hold something else."""
        for path, why in (*self.ignored, *more):
            rejects.remark(LEFT_OUT, path.name, why)


def recognise(paths: Sequence[Path], name: str = "") -> Found:
    """What files and folders hold. Raises BadInput where nothing is there, or no events are."""
    files = _files(paths)
    events: list[EventFile] = []
    items: list[ItemFile] = []
    users: list[UserFile] = []
    ignored: list[tuple[Path, str]] = []
    others: list[tuple[Path, str]] = []
    for path in files:
        if path.is_dir() or path.suffix.lower() not in SUFFIXES:
            others.append((path, "a folder" if path.is_dir() else f"no file of {', '.join(SUFFIXES)}"))
            continue
        columns = column_names(path)
        role = _role(path, columns)
        if role == EVENTS and (event_file := _event_file(path, columns)):
            events.append(event_file)
        elif role == ITEMS:
            items.append(_item_file(path, columns))
        elif role == USERS:
            users.append(UserFile(str(path), column_of(columns, (*known_names.USER, "id"))))
        else:
            ignored.append((path, _why(columns)))
    if not events and (ignored or not items):
        received = "; ".join(f"{path.name}: {why}" for path, why in [*ignored, *others][:4]) or "no such file"
        raise BadInput(", ".join(map(str, paths)), EXPECTED, received)
    description = Description(name or _name(paths), events=tuple(events), items=tuple(items), users=tuple(users))
    return Found(description, (*ignored, *others))


def _files(paths: Sequence[Path]) -> list[Path]:
    """Returns the files that were named, and those of folders. Raises BadInput for what is none, or can't be read."""
    files: list[Path] = []
    for path in paths:
        try:
            files += files_of(path)
        except OSError as error:
            raise BadInput("--from", "a file or a folder that can be read", f"{path}: {error.strerror}") from error
    return [path.resolve() for path in files]


def files_of(path: Path) -> list[Path]:
    """Returns what lies in a folder, but hidden files and what says what the others mean; or the file that is named. Raises
    BadInput for a path that is neither, OSError for a folder that can't be read."""
    if path.is_dir():
        return sorted(each for each in path.iterdir() if not each.name.startswith(".") and each.name not in _MEANINGS)
    if not path.is_file():
        raise BadInput("--from", "a file or a folder", str(path))
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(str(path), "a file of " + ", ".join(SUFFIXES), path.suffix or "no suffix")
    return [path]


def _name(paths: Sequence[Path]) -> str:
    first = paths[0].resolve()
    folder = first if first.is_dir() else first.parent
    return name_of_folder(folder.name)


def _role(path: Path, columns: Sequence[str]) -> str:
    """What a file holds, by its columns; where they leave it open, by its name."""
    user, item, time = (column_of(columns, known) for known in (known_names.USER, known_names.ITEM, known_names.TIME))
    if user and item and time and user != item:
        return EVENTS
    stem = next((role for role, stems in _STEMS.items() if path.stem.lower().startswith(stems)), "")
    if stem == USERS:
        return USERS if not item and (user or column_of(columns, ("id",))) else ""
    if not user and column_of(columns, known_names.ITEM_ID) and stem != EVENTS:
        return ITEMS
    return ""


def _why(columns: Sequence[str]) -> str:
    roles = (("user", known_names.USER), ("item", known_names.ITEM), ("time", known_names.TIME))
    missing = [role for role, known in roles if not column_of(columns, known)]
    return f"no column of {', '.join(missing)} among {', '.join(columns)[:200] or 'none'}"


def _event_file(path: Path, columns: Sequence[str]) -> EventFile:
    kind = column_of(columns, known_names.KIND)
    return EventFile(
        str(path),
        column_of(columns, known_names.USER),
        column_of(columns, known_names.ITEM),
        column_of(columns, known_names.TIME),
        kind=kind,
        every="" if kind else _kind_of_all(path, columns),
        event=column_of(columns, known_names.EVENT),
    )


def _kind_of_all(path: Path, columns: Sequence[str]) -> str:
    """The kind of a file that names none: by its values, else by its own name or the first word of that."""
    if column_of(columns, known_names.STARS):
        return "rating"
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", path.stem)
    names = map(known_names.kind_name, (path.stem, *words[:1]))
    return next((name for name in names if name in known_names.KIND_NAMES), "click")


def _item_file(path: Path, columns: Sequence[str]) -> ItemFile:
    return ItemFile(str(path), column_of(columns, known_names.ITEM_ID), title=column_of(columns, known_names.TITLE))
