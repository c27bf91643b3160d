"""`dataset.toml`: which files one's own data lies in, and what each of their columns is. What it means is the schema's business.

name = "shop"
clock = "wall"                   # new events come from now on; "data": time goes on from the last event (the default)

[[events]]
file = "/data/shop/events.csv"   # or relative to this file's folder
user = "visitorid"               # the columns
item = "itemid"
time = "timestamp"
kind = "event"                   # or every = "click": all rows are of one kind
kinds = {addtocart = "add_to_cart", transaction = "purchase"}    # what the schema calls them, where it is another name
values = {purchase = "price"}    # the column that a kind's value stands in
scales = {rating = 0.5}          # what the numbers there are multiplied by: here ten in the file are five stars
event = "event_id"               # the column of the event's own id, if there is one
context = {device = "deviceCategory"}   # the columns of what the schema's context names
quotes = false                   # of CSV, of events or items: a quote is a letter, and holds no field together (default: true)

[[items]]
file = "/data/shop/items.csv"
id = "itemid"
title = "name"
facets = ["category", "brand"]   # its attributes' columns by type, also: numbers, times, flags, texts, vectors,
                                 # places

[[users]]
file = "/data/shop/users.csv"
id = "visitorid"
facets = ["plan", "country"]     # also: numbers, times, flags, texts
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec.structs import replace

from features.durable import write_whole
from features.errors import BadInput
from features.schema.declarations import NAME, AttributeType
from offline.datasets.dataset_names import TAKEN, check_name

FILE: Final = "dataset.toml"
CONTEXT: Final = "context."
"""May begin the name of a column of what events say of their circumstances, as it does in an export."""
HomeTime = Literal["wall", "data"]
Scale = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]


CLOCKS: Final = {
    "wall": 'new events come from now on; with "data" the home\'s time goes on from the last event',
    "data": 'the home\'s time goes on from the last event; with "wall" new events come from now on',
}


class EventFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file of events, as the module's docstring shows it."""

    file: str
    user: str
    item: str
    time: str
    kind: str = ""
    every: str = ""
    kinds: dict[str, str] = {}
    values: dict[str, str] = {}
    scales: dict[str, Scale] = {}
    event: str = ""
    context: dict[str, str] = {}
    quotes: bool = True

    def ids(self) -> tuple[str, ...]:
        """The columns of ids."""
        return tuple(filter(None, (self.user, self.item, self.event)))


ATTRIBUTE_TYPES: Final[Mapping[str, AttributeType]] = {
    "facets": "facet",
    "numbers": "number",
    "times": "time",
    "flags": "flag",
    "texts": "text",
    "vectors": "vector",
    "places": "place",
}
"""Field of `ItemFile` → the type of attribute whose columns it lists; of `UserFile` all but the last two."""


def columns_by_type(types: Mapping[str, AttributeType]) -> dict[str, tuple[str, ...]]:
    """Column → its type as the fields of `ItemFile`, those that list some."""
    return {
        name: tuple(column for column, of_column in types.items() if of_column == kind)
        for name, kind in ATTRIBUTE_TYPES.items()
        if kind in types.values()
    }


class ItemFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file of items."""

    file: str
    id: str
    title: str = ""
    facets: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    quotes: bool = True

    def columns(self) -> list[str]:
        """The columns of all attributes."""
        return [column for name in ATTRIBUTE_TYPES for column in getattr(self, name)]


class UserFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file of users."""

    title: ClassVar[str] = ""  # they have none

    file: str
    id: str
    facets: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    quotes: bool = True

    def columns(self) -> list[str]:
        """The columns of all attributes."""
        return [column for name in ATTRIBUTE_TYPES for column in getattr(self, name, ())]


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole `dataset.toml`. name: of the data set, as in the ids of its events; clock: see there."""

    name: str
    clock: HomeTime = "data"
    events: tuple[EventFile, ...] = ()
    items: tuple[ItemFile, ...] = ()
    users: tuple[UserFile, ...] = ()

    def files(self) -> list[Path]:
        """All files, in order."""
        files = (each.file for table in (self.events, self.items, self.users) for each in table)
        return [Path(file) for file in files]


def read_description(path: Path) -> Description:
    """Raises BadInput naming the field for what is no description."""
    try:
        description = msgspec.convert(_content(path), Description)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at ")
        expected, _, received = text.removeprefix("Expected ").partition(", got ")
        raise BadInput(f"{path}, {where.strip('`$.') or 'top'}", expected, received or "something else") from error
    check_name(description.name, f"{path}, name")
    for number, each in enumerate(description.events):
        if bool(each.kind) == bool(each.every):
            raise BadInput(
                f"{path}, events[{number}]",
                "either `kind`, a column, or `every`, the kind of all rows",
                "both" if each.kind else "neither",
            )
        for name in each.context:
            if not NAME.fullmatch(name):
                raise BadInput(
                    f"{path}, events[{number}].context", "names of small letters, digits and _, at most 32", repr(name)
                )
        for name in each.scales.keys() - each.values.keys():
            raise BadInput(f"{path}, events[{number}].scales", "kinds that `values` names a column for", repr(name))
    return replace(
        description,
        events=tuple(replace(each, file=_resolved(path, each.file)) for each in description.events),
        items=tuple(replace(each, file=_resolved(path, each.file)) for each in description.items),
        users=tuple(replace(each, file=_resolved(path, each.file)) for each in description.users),
    )


def description_of(given: str) -> Path | None:
    """The description that a data set goes by: the file that is given, or the one in a folder; None where there is none."""
    path = Path(given).expanduser()
    file = path / FILE if path.is_dir() else path
    return file if file.is_file() else None


def digest_of(path: Path) -> str:
    """A digest of what a description says, whatever its comments. Raises BadInput for what is no TOML."""
    return hashlib.sha256(json.dumps(_content(path), sort_keys=True, default=str).encode()).hexdigest()


def describes(path: Path, folder: Path) -> bool:
    """Whether the data set in a folder was taken by what a description now says; none was by what is no TOML."""
    try:
        now = digest_of(path)
    except BadInput:
        return False
    taken = folder / TAKEN
    return taken.exists() and bool(json.loads(taken.read_bytes()).get("described") == now)


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(str(path), "TOML", str(error)) from error


def _resolved(path: Path, file: str) -> str:
    """A file that a description names, as seen from the description."""
    return str(path.expanduser().resolve().parent / Path(file).expanduser())


def write_description(description: Description, path: Path) -> None:
    """Write the file; `read_description` gives an equal one back."""
    lines = [
        "# Which files the data lies in, and what their columns are. What it means is said in schema.toml.",
        f"name = {_toml(description.name)}",
        f"clock = {_toml(description.clock)}      # {CLOCKS[description.clock]}",
    ]
    tables = (("events", description.events), ("items", description.items), ("users", description.users))
    for table, entries in tables:
        for entry in entries:
            lines += ["", f"[[{table}]]"]
            lines += [f"{name} = {_toml(value)}" for name, value in msgspec.to_builtins(entry).items()]
    write_whole(path, ("\n".join(lines) + "\n").encode())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
