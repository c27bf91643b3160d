"""The file `schema.toml`: what it may say, and a clear error for what it may not.

preset = "shop"                # start from this; what follows replaces or adds
ids = "strings"                # answers give every id as a string; "numbers" (the default) gives numbers where they are
together = "30m"               # how close in time two positives of a user must be to count as liked together
noun = "lamp"                  # what pages call an item
nouns = "lamps"                # and several; `noun` with an s where it is left out

[events.add_to_cart]
weight = 0.5                   # from -1 (against) to 1 (for); 0 teaches no taste
hide = "30d"                   # keeps the item out of the user's lists: "forever", or so many d, h or m
click = true                   # counts in click rates, and in tastes where the weight is 0
repeats = false                # counts once among the user's latest acts, however often it comes

[events.rating]
value = "stars"                # what its value is: stars, money, quantity or seconds
weights = [[0.5, -1.0], [3.0, 0.0], [4.0, 1.0]]    # [from this value on, weight], ascending

[items.brand]                  # what items and users have, and the context of events: `features.schema.declarations`
type = "facet"
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from features.errors import BadInput
from features.schema.declarations import (
    NAME,
    Attribute,
    AttributeType,
    ContextField,
    ContextType,
    UserAttribute,
    UserAttributeType,
    check_context,
    check_items,
    check_users,
)
from features.schema.event_kinds import EventKind, ValueKind, check_a_positive, check_weights
from features.types import KINDS, MAX_OWN_KINDS, UNDO
from features.units import DAY_MS, HOUR_MS, MINUTE_MS

PRESETS: Final = Path(__file__).with_name("presets")
DEFAULT: Final = "movies"
FILE: Final = "schema.toml"
_TABLE: Final = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\"'-]+)\s*=")
_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([dhm])")
_NOUN: Final = re.compile(r"[^\W\d_](?:[\w' -]{0,30}\w)?")
_SALT: Final = re.compile(r"(?:[0-9a-f]{2}){0,64}")
_RESERVED: Final = frozenset(KINDS[UNDO:]) | {"catalogue", "clock", "profile"}
"""Names that a schema can't give another meaning."""


_TABLES: Final[Mapping[str, type[msgspec.Struct]]] = {
    "events": EventKind,
    "items": Attribute,
    "users": UserAttribute,
    "context": ContextField,
}
"""The tables of a schema, and what an entry of each is."""


IdStyle = Literal["numbers", "strings"]

_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "items.type": get_args(AttributeType),
    "users.type": get_args(UserAttributeType),
    "context.type": get_args(ContextType),
    "value": get_args(ValueKind),
    "tastes": ("true", "false", '"decade"'),
    "ids": get_args(IdStyle),
}
"""The values of the fields that have a few alone; of a field `type` behind its table."""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole schema.

    events    name → kind, in the order of the file
    items     name → attribute, in the order of the file
    users     the same of users
    context   the same of what events and requests say of their circumstances
    ids       how answers give ids: numbers where they are numbers, or all as strings
    together  a span: two positives of a user that are not further apart in time are a co-visit of their items
    salt      keys the hash of ids that are strings (hexadecimal); a base has its home's, a home's file has none
    noun      what pages call an item
    nouns     what they call several; never empty in a document that was read
    """

    events: dict[str, EventKind] = {}
    items: dict[str, Attribute] = {}
    users: dict[str, UserAttribute] = {}
    context: dict[str, ContextField] = {}
    preset: str = ""
    ids: IdStyle = "numbers"
    together: str = "7d"
    salt: str = ""
    noun: str = "item"
    nouns: str = ""


def preset_names() -> list[str]:
    """The presets that there are, sorted."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def read_document(text: str, where: str = FILE) -> Document:
    """The schema that a file's text says, its preset taken in. Raises BadInput naming file, line, field, what was expected and
    what came."""
    source = _Source(text, where)
    given = source.parse()
    preset = given.get("preset", "")
    if preset:
        if preset not in preset_names():
            raise source.error(("preset",), "one of " + ", ".join(preset_names()), repr(preset))
        path = PRESETS / f"{preset}.toml"
        given = _merged(tomllib.loads(path.read_text(encoding="utf-8")), given)
    try:
        document = msgspec.convert(given, Document)
    except msgspec.ValidationError as error:
        raise source.refusal(error) from error
    _check(document, source)
    return document if document.nouns else msgspec.structs.replace(document, nouns=f"{document.noun}s")


def preset(name: str) -> Document:
    """The schema of a preset. Raises BadInput for one that there is not."""
    return read_document(f'preset = "{name}"', f"preset {name}")


def write_document(document: Document) -> str:
    """The text of a whole schema, without its preset: what a base keeps. `read_document` gives an equal one back."""
    names = ("ids", "together", "salt", "noun", "nouns")
    lines = [f"{name} = {_toml(value)}" for name in names if (value := getattr(document, name))]
    lines.append("")
    for table in _TABLES:
        for name, entry in getattr(document, table).items():
            lines.append(f"[{table}.{name}]")
            for field in msgspec.structs.fields(entry):
                if (value := getattr(entry, field.name)) != field.default:
                    lines.append(f"{field.name} = {_toml(value)}")
            lines.append("")
    return "\n".join(lines)


def span_ms(text: str) -> int | None:
    """A span such as "30d", "12h" or "45m" in ms; None for any other text.

    >>> span_ms("2h"), span_ms("soon")
    (7200000, None)
    """
    found = _SPAN.fullmatch(text)
    return None if found is None else int(found[1]) * {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS}[found[2]]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables taken together; what is no table is replaced, and so is the table of an event or attribute."""
    merged = below | dict(above)
    if "noun" in above and "nouns" not in above:
        merged.pop("nouns", None)
    for table in _TABLES:
        if isinstance(above.get(table), dict):
            merged[table] = below.get(table, {}) | above[table]
    return merged


class _Source:
    """A file's text, to say where something stands."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise BadInput(self._where, "TOML", str(error)) from error

    def error(self, path: tuple[str, ...], expected: str, received: str) -> BadInput:
        """A refusal that names line and field."""
        line = self._line(path)
        return BadInput(f"{self._where}{f', line {line}' if line else ''}, {'.'.join(path)}", expected, received)

    def refusal(self, error: msgspec.ValidationError) -> BadInput:
        text, _, at = str(error).partition(" - at ")
        names = [name for name in re.split(r"[.\[\]`]+", at.strip("`").removeprefix("$")) if name and name != "..."]
        path = self._resolve(names, text)
        if text.startswith("Object contains unknown field"):
            field = text.split("`")[1]
            known = _TABLES[names[0]] if names else Document
            return self.error((*path, field), "one of " + ", ".join(known.__struct_fields__), field)
        if text.startswith("Object missing required field"):
            field = text.split("`")[1]
            return self.error((*path, field), "a value", "nothing")
        if text.startswith("Invalid enum value"):
            options = _OPTIONS[f"{path[0]}.type" if path[-1] == "type" else path[-1]]
            return self.error(path, "one of " + ", ".join(options), text.removeprefix("Invalid enum value "))
        expected, _, received = text.removeprefix("Expected ").partition(", got ")
        return self.error(path, expected, received or "something else")

    def _resolve(self, names: list[str], text: str) -> tuple[str, ...]:
        """msgspec says `$.events[...].weight`: find the event, or the attribute, that it means."""
        if not names or names[0] not in _TABLES:
            return tuple(names)
        given = self.parse().get(names[0], {})
        for name, entry in given.items() if isinstance(given, dict) else ():
            try:
                msgspec.convert(entry, _TABLES[names[0]])
            except msgspec.ValidationError as error:
                if str(error).partition(" - at ")[0] == text:
                    return (names[0], name, *names[1:])
        return tuple(names)

    def _line(self, path: tuple[str, ...]) -> int:
        """The line on which a field stands, or else its table; 0 where neither is in the text."""
        table: tuple[str, ...] = ()
        best = 0
        for number, line in enumerate(self._text.splitlines(), start=1):
            if header := _TABLE.match(line):
                table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
                if path[: len(table)] == table:
                    best = number
            elif (key := _KEY.match(line)) and path == (*table, key[1].strip("\"'")):
                return number
        return best


def _check(document: Document, source: _Source) -> None:
    if not _SALT.fullmatch(document.salt):
        raise source.error(("salt",), "up to 64 bytes in hexadecimal", repr(document.salt))
    if span_ms(document.together) is None:
        raise source.error(("together",), 'a span such as "30m", "12h" or "7d"', repr(document.together))
    for name, word in (("noun", document.noun), ("nouns", document.nouns or document.noun)):
        if not _NOUN.fullmatch(word):
            raise source.error((name,), "a word of at most 32 letters, digits, spaces and -", repr(word))
    for name, kind in document.events.items():
        path = ("events", name)
        if not NAME.fullmatch(name):
            raise source.error(path, "a name of small letters, digits and _, at most 32", repr(name))
        if name in _RESERVED:
            raise source.error(path, "another name: this one has its meaning already", name)
        check_weights(kind, path, source.error)
        if kind.hide not in ("", "forever") and span_ms(kind.hide) is None:
            raise source.error((*path, "hide"), '"forever", or a span such as "30d", "12h" or "45m"', repr(kind.hide))
        if (name == "rating") != (kind.value == "stars"):
            raise source.error((*path, "value"), 'stars with the kind "rating", and with no other', repr(kind.value))
        if name == "impression" and kind != EventKind():
            raise source.error(path, "no field: an impression was not asked for, and means nothing by itself", name)
    own = [name for name in document.events if name not in KINDS]
    if len(own) > MAX_OWN_KINDS:
        raise source.error(("events",), f"at most {MAX_OWN_KINDS} kinds of one's own", str(len(own)))
    check_a_positive(document.events.values(), source.error)
    check_items(document.items, source.error)
    check_users(document.users, source.error)
    check_context(document.context, source.error)
