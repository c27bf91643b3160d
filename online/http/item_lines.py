"""The body of POST /v1/items: many items, one JSON object a line, or an array of them."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from features.contracts.items import ITEM_LIMIT, compile_item, id_of, read_object, write_item
from features.errors import BadInput
from features.schema.tables import Schema
from features.types import Item, Millis
from online.http.problems import Problem
from online.http.slashes import check_reachable

MAX_LINES: Final = 10_000
"""Items of one call."""
_LINE: Final = re.compile(rb"\S[^\n]*")
_GAP: Final = re.compile(r"[ \t\n\r]*")
_decoder: Final = json.JSONDecoder()


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with a line."""

    field: str
    expected: str
    received: str


Made = tuple[Item, bytes] | LineFault
"""An item with its record, or what is wrong with its line."""


def fault_of(error: BadInput) -> LineFault:
    return LineFault(error.where, error.expected, error.received)


def read_items(body: bytes, now: Millis, schema: Schema) -> list[tuple[int, Made]]:
    """(number, what it says) of each line that is not empty, or of each element of an array. Takes up to a second: for a thread.
    Raises a 422 Problem for what can't be read as 1 to MAX_LINES lines, by not more than one line too many."""
    try:
        lines = list(islice(_elements(body) if body.lstrip()[:1] == b"[" else _lines(body), MAX_LINES + 1))
    except (ValueError, RecursionError) as error:
        raise Problem(422, f"expected a JSON array of items, or one item a line: {error}") from error
    if not 0 < len(lines) <= MAX_LINES:
        got = f"more than {MAX_LINES}" if lines else "0"
        raise Problem(422, f"expected 1 to {MAX_LINES} lines, each an item, got {got}")
    return [(number, _read_item(line, now, schema)) for number, line in lines]


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    number, end = 1, 0
    for line in _LINE.finditer(body):
        number += body.count(b"\n", end, line.start())
        end = line.start()
        yield number, line.group()


def _elements(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of an array, each as its JSON. No more of the text than an item may have is made into objects at once, so
    that nothing else of the process waits for it. Raises ValueError or RecursionError for what is no array, or has a longer
    element."""
    text = body.decode()
    at, number = _after_gap(text, text.index("[") + 1), 0
    if text[at : at + 1] == "]":
        return
    while True:
        number += 1
        part = text[at : at + ITEM_LIMIT + 1]
        is_cut = at + len(part) < len(text)
        try:
            _, end = _decoder.raw_decode(part)
        except ValueError as error:
            either = f", or more than {ITEM_LIMIT} characters" if is_cut else ""
            raise ValueError(f"element {number} is no JSON{either}: {error}") from error
        if is_cut and end == len(part):
            raise ValueError(f"element {number} has more than {ITEM_LIMIT} characters")
        yield number, part[:end].encode()
        at = _after_gap(text, at + end)
        if text[at : at + 1] != ",":
            break
        at = _after_gap(text, at + 1)
    if text[at : at + 1] != "]" or _after_gap(text, at + 1) < len(text):
        raise ValueError(f"expected , or ] and the end at character {at}")


def _after_gap(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    assert gap is not None
    return gap.end()


def _read_item(line: bytes, now: Millis, schema: Schema) -> Made:
    try:
        fields = read_object(line)
        item_id, outer = id_of(fields, schema.ids)
        check_reachable(outer, "item_id")
        item = compile_item(item_id, fields, now, schema.items, outer)
        return item, write_item(item, schema.items)
    except BadInput as error:
        return fault_of(error)
