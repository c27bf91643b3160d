"""Reading the values of a topic: JSON bytes → a checked struct, or a `BadEvent` that names the field, what was expected and
what came. Unknown fields are skipped, but must be JSON, too, as values are passed on as they came.
"""

import re
from typing import Final, TypeVar

import msgspec

from features.errors import BadEvent

T = TypeVar("T")

MAX_DEPTH: Final = 500
"""Brackets may stand this deep in one another. Decoding stops at the depth of Python's stack, which differs from one caller
to the next: a value near that would be an event to one reader and none to another."""

_strings = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_brackets = re.compile(rb"[\[\]{}]")


def read_json(decoder: msgspec.json.Decoder[T], value: bytes, whole: str) -> T:
    """A value as the decoder's type. `whole` names it where a fault has no path in it. Raises BadEvent."""
    if _too_deep(value):
        raise BadEvent(whole, f"at most {MAX_DEPTH} brackets within one another", "more")
    try:
        return decoder.decode(value.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadEvent(whole, "UTF-8", f"byte 0x{value[error.start]:02x} at {error.start}") from error
    except msgspec.DecodeError as error:
        raise refusal(error, whole) from error


def refusal(error: msgspec.DecodeError, whole: str) -> BadEvent:
    """msgspec says "Expected `int`, got `str` - at `$.user_id`": take it apart into where, expected, received."""
    text, _, path = str(error).partition(" - at ")
    where = path.strip("`").removeprefix("$.").strip("$") or whole
    if text.startswith("Expected ") and ", got " in text:
        expected, _, received = text.removeprefix("Expected ").partition(", got ")
        return BadEvent(where, expected, received)
    if text.startswith("Expected "):
        return BadEvent(where, text.removeprefix("Expected "), "a value outside of that")
    if text.startswith("Object missing required field"):
        name = text.split("`")[1]
        return BadEvent(name if where == whole else f"{where}.{name}", "a value", "nothing")
    return BadEvent(where, "a JSON object", text)


def _too_deep(value: bytes) -> bool:
    if len(value) <= MAX_DEPTH or value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _brackets.findall(_strings.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False
