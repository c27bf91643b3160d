"""Columns of files of items → the values of one attribute, read as what it is. What does not fit is left out and counted."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from features.contracts.items import IMAGE_URL_WORDS, check_built_in
from features.errors import BadInput
from features.schema.attribute_values import MAX_FACET_CHARS, MAX_FACET_VALUES, MAX_TEXT, check_value, received
from features.schema.declarations import Attribute, AttributeType
from offline.datasets.own.typed_columns import flags, numbers, texts, times, trimmed, value_at, vectors
from offline.datasets.rejected_lines import REFUSED_SHARE

IMAGE: Final = "image_url"
BUILT_IN_TYPES: Final[Mapping[str, Attribute]] = {
    IMAGE: Attribute("text"),
    "available": Attribute("flag"),
    "expires": Attribute("time"),
}
"""What columns of these names are, whatever their values look like: what every item has beside id and title."""
SEVERAL: Final = "|"
"""What stands between the values of a facet that has several, in text."""
_EXPECTED: Final[Mapping[str, str]] = {
    IMAGE: IMAGE_URL_WORDS,
    "number": "a number",
    "time": "a time: seconds, ms, µs or ns since 1970, or ISO 8601",
    "flag": "true or false, yes or no, 1 or 0",
    "vector": "a list of numbers",
    "place": "[latitude, longitude]",
}
"""What an attribute, or one of a type, is in files, for a refusal; of other types as in JSON."""
_BOUNDS: Final[Mapping[str, str]] = {
    "facet": f"{MAX_FACET_VALUES} values of {MAX_FACET_CHARS} characters",
    "text": f"{MAX_TEXT:,} characters",
}
"""To what values of a type are shortened in files; in JSON longer ones are refused."""


@dataclass
class Misfit:
    """One column of a file, of whose `seen` values `unfit` are none of the attribute; of the first of these what was expected
    and what came. shortened: how many were too long, and are used without their ends; bound: the longest there may be;
    of_items: whether it is what every item has, where it is called so."""

    column: str
    name: str
    seen: int = 0
    unfit: int = 0
    expected: str = ""
    received: str = ""
    shortened: int = 0
    bound: str = ""
    of_items: bool = True

    @property
    def is_image(self) -> bool:
        """Whether the values are images of items."""
        return self.of_items and self.name == IMAGE

    def add(self, expected: str, received: str) -> None:
        """Count a value that does not fit."""
        self.unfit += 1
        if self.unfit == 1:
            self.expected, self.received = expected, received

    def __bool__(self) -> bool:
        """Whether there is anything to be said of it."""
        return bool(self.unfit or self.shortened)

    @property
    def text(self) -> str:
        """What is to be said of it."""
        unfit = f"{self.unfit:,} values of {self.column} don't fit: expected {self.expected}, got {self.received}"
        shortened = f"{self.shortened:,} values of {self.column} are shortened to {self.bound}"
        return "; ".join(text for count, text in ((self.unfit, unfit), (self.shortened, shortened)) if count)

    @property
    def doubt(self) -> str:
        """The same, of files that are not taken in yet."""
        return f"{self.text}: more than a tenth of them, which is refused" if self.is_too_much else self.text

    @property
    def is_too_much(self) -> bool:
        """Whether a file with it is refused. An item does without an image, so that one never is for those."""
        return not self.is_image and self.unfit > REFUSED_SHARE * self.seen


def refuse_misfits(file: str, misfits: Sequence[Misfit]) -> None:
    """Raise BadInput where more than 10 % of a column's values don't fit."""
    for each in misfits:
        if each.is_too_much:
            raise BadInput(
                f"{file}, column {each.column}",
                f"{each.expected}, at least {1 - REFUSED_SHARE:.0%} of its values",
                f"{each.unfit:,} of {each.seen:,} that are none, such as {each.received}",
            )


def has_several(words: pa.Array) -> bool:
    """Whether a facet's texts (without nulls) hold several values each: a tenth of them or more have SEVERAL."""
    return (pc.sum(pc.match_substring(words, SEVERAL)).as_py() or 0) * 10 >= max(len(words), 1)


def values_of(column: pa.ChunkedArray, many: bool) -> list[tuple[str, ...]]:
    """The values of a facet, item by item: of a list its entries, of text what it says; with `many` what stands between `|`."""
    if pa.types.is_list(column.type):
        entries = ([str(each) for each in value or () if each is not None] for value in column.to_pylist())
        return [tuple(word for word in each if word.strip()) for each in entries]
    words = _words(column)
    if not many:
        return [() if word is None else (word,) for word in words]
    parts = (() if word is None else word.split(SEVERAL) for word in words)
    return [tuple(part.strip() for part in each if part.strip()) for each in parts]


def read_column(column: pa.ChunkedArray, attribute: Attribute, misfit: Misfit | None = None) -> list[Any]:
    """The attribute's value in each row: of a facet a tuple; None where there is none, or one that does not fit. misfit: counts
    these, and has all checked by the schema; None: what is read is no attribute of the schema."""
    found = list(_READERS[attribute.type](column, attribute))
    if misfit is None:
        return [_bounded(attribute, value) for value in found]
    filled = _filled(column)
    misfit.seen += sum(filled)
    for row, value in enumerate(found):
        if value is None and not filled[row]:
            continue
        try:
            if value is None:
                raise BadInput(misfit.name, *_unreadable(value_at(column, row), attribute))
            found[row] = bounded = _bounded(attribute, value)
            _check(misfit, attribute, bounded)
            if bounded != value:
                misfit.shortened, misfit.bound = misfit.shortened + 1, _BOUNDS[attribute.type]
        except BadInput as error:
            found[row] = None
            if misfit.is_image:
                misfit.add(_EXPECTED[IMAGE], received(value))
            else:
                misfit.add(error.expected, error.received)
    return found


def _check(misfit: Misfit, attribute: Attribute, value: Any) -> None:
    if misfit.of_items and misfit.name in BUILT_IN_TYPES:
        check_built_in(misfit.name, value)
    elif attribute.type == "facet" and not attribute.many and len(value) == 1:
        check_value(misfit.name, attribute, value[0])
    else:
        check_value(misfit.name, attribute, value)


def _bounded(attribute: Attribute, value: Any) -> Any:
    """A text, or the values of a facet, without what goes beyond the bounds of its type."""
    if attribute.type == "text" and value is not None:
        return value[:MAX_TEXT]
    if attribute.type == "facet" and value is not None:
        return tuple(dict.fromkeys(each[:MAX_FACET_CHARS] for each in value[:MAX_FACET_VALUES]))
    return value


def _unreadable(value: Any, attribute: Attribute) -> tuple[str, str]:
    """(what was expected, what came) of a value that its reader makes nothing of."""
    return _EXPECTED.get(attribute.type, f"a {attribute.type}"), received(value)


def _filled(column: pa.ChunkedArray) -> list[bool]:
    """In which rows something stands."""
    if pa.types.is_list(column.type):
        present = pc.greater(pc.fill_null(pc.list_value_length(column), 0), 0)
    elif pa.types.is_struct(column.type) or pa.types.is_floating(column.type):
        present = pc.invert(pc.is_null(column, nan_is_null=True))
    else:
        present = trimmed(texts(column)).is_valid()
    filled: list[bool] = present.to_pylist()
    return filled


def _words(column: pa.ChunkedArray) -> list[str | None]:
    """Texts as they stand; numbers of all kinds as text."""
    words: list[str | None] = texts(column).to_pylist()
    if pa.types.is_floating(column.type):
        raw = column.to_pylist()
        words = [
            str(value) if word is None and value is not None and math.isfinite(value) else word
            for word, value in zip(words, raw, strict=True)
        ]
    return words


def _facets(column: pa.ChunkedArray, attribute: Attribute) -> Iterator[tuple[str, ...] | None]:
    for values in values_of(column, attribute.many):
        yield tuple(dict.fromkeys(values)) or None


def _texts(column: pa.ChunkedArray, _: Attribute) -> list[str | None]:
    return _words(column)


def _lists_of_numbers(column: pa.ChunkedArray, _: Attribute) -> list[tuple[float, ...] | None]:
    kind = column.type
    if not pa.types.is_list(kind) or not (
        pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)
    ):
        return [None] * len(column)
    return vectors(column)


_READERS: Final[Mapping[AttributeType, Callable[[pa.ChunkedArray, Attribute], Iterable[Any]]]] = {
    "facet": _facets,
    "number": lambda column, _: numbers(column),
    "time": lambda column, _: times(column, to_come=True).to_pylist(),
    "flag": lambda column, _: flags(column),
    "text": _texts,
    "vector": _lists_of_numbers,
    "place": _lists_of_numbers,
}
