"""What the values of events are: money, a quantity, seconds or stars.

A history keeps a kind's value whatever the schema of the day makes of it, and which of these it is; another schema may read it as
that, and as nothing else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from features.errors import BadInput
from features.schema.document import Document, preset, preset_names
from features.schema.event_kinds import ValueKind
from offline.datasets.own import known_names
from offline.datasets.own.description import Description

ANY: Final = "value"
"""A column of this name may hold a value of any meaning."""


def meanings_of(description: Description, document: Document) -> dict[str, ValueKind]:
    """Kind → what the values are that the description names a column for: what the schema says, else what the column is called;
    a kind whose column says nothing is left out. Raises BadInput where columns of one kind say different things."""
    found: dict[str, tuple[ValueKind, str]] = {}
    for file in description.events:
        for name, column in file.values.items():
            meaning = _of_schema(name, document) or _of_column(column)
            if meaning is None:
                continue
            before = found.setdefault(name, (meaning, column))
            if before[0] != meaning:
                expected = f"columns of one meaning for the value of {name}, such as {before[1]} ({before[0]})"
                raise BadInput(f"{file.file}, values", expected, f"{column} ({meaning})")
    return {name: meaning for name, (meaning, _) in found.items()}


def meaning_of(name: str, document: Document, columns: Sequence[Mapping[str, int]]) -> ValueKind | None:
    """What the value of a kind is, by the schema; of one that has none there by a preset, else by what its columns are called.

    columns: for each file, column → rows of the kind that have a number in it.
    """
    if meaning := _of_schema(name, document):
        return meaning
    filled = Counter(known_names.plain(column) for each in columns for column, count in each.items() if count)
    order: list[ValueKind] = [each for of in preset_names() if (each := _of_schema(name, preset(of)))]
    order += ["stars"] if name == "rating" else ["money", "quantity", "seconds"]
    return next((each for each in order if any(filled[column] for column in known_names.VALUE[each])), None)


def _of_schema(name: str, document: Document) -> ValueKind | None:
    kind = document.events.get(name)
    return None if kind is None else kind.value


def _of_column(column: str) -> ValueKind | None:
    plain = known_names.plain(column)
    return next((each for each, names in known_names.VALUE.items() if plain in names and plain != ANY), None)
