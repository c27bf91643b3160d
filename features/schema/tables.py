"""A schema compiled: integer tables, so that a fold without floats or expressions can follow them (`features.fold`).

A weight counts in units of 1/`unit`: with the weights -1, 0 and 1 alone the unit is 1, and a sum of weights counts events.
"""

import math
from functools import cache
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from features.ids import Ids
from features.schema.attributes import Attributes
from features.schema.checked_fields import Fields
from features.schema.declarations import Attribute
from features.schema.document import (
    DEFAULT,
    Document,
    preset,
    read_document,
    span_ms,
    write_document,
)
from features.schema.event_kinds import SCALE, EventKind, ValueKind, scaled
from features.types import CLICK, FOREVER, KINDS, PROFILE, UNDO, Millis


class Kind(NamedTuple):
    """One kind of event, compiled.

    value    what its value is; None: it carries none
    steps    (value in hundredths, weight in units), ascending: the last one that is not above the value counts
    hide     for how long it keeps its item out of the user's lists, ms; FOREVER; 0: not at all
    click    whether it counts in click rates
    repeats  whether it counts each time
    """

    name: str
    code: int
    value: ValueKind | None
    steps: tuple[tuple[int, int], ...]
    hide: Millis
    click: bool
    repeats: bool

    @property
    def needs_value(self) -> bool:
        """Whether an event without a value says nothing: where its weight goes by it. A purchase whose price is not told is a
        purchase."""
        return self.value is not None and (self.value == "stars" or self.goes_by_value)

    @property
    def goes_by_value(self) -> bool:
        """Whether its weight depends on its value, as a rating's does: its user took the item before they judged it."""
        return len(self.steps) > 1


_PROFILE: Final = Kind("profile", PROFILE, None, ((0, 0),), 0, False, True)


class Schema:
    """What the events of a home mean, and what its items and users have.

    kinds    code → kind; None for a code of `features.types.KINDS` that the home does not know. `profile` stands apart
    kind_of  name → kind, of the kinds that the home knows: `profile` where users have attributes
    code_of  name → code, of the same
    unit     the weight of 1
    items    the attributes of items
    users    those of users
    context  what events and requests say of their circumstances
    ids      how the ids outside are read and given
    by_value codes of the kinds that go by their value
    together how close in time two positives of a user are a co-visit, ms
    digest   of all that the fold reads: another one is another fold
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.ids = Ids(bytes.fromhex(document.salt), document.ids == "strings")
        self.together = span_ms(document.together) or 0
        own = [name for name in document.events if name not in KINDS]
        names = {name: code for code, name in enumerate([*KINDS, *own])}
        steps_of = {name: scaled(kind) for name, kind in document.events.items()}
        shared = math.gcd(SCALE, *(weight for steps in steps_of.values() for _, weight in steps))
        self.unit = SCALE // shared
        known = {**{name: EventKind() for name in ("impression", *KINDS[UNDO:])}, **document.events}
        self.kinds: tuple[Kind | None, ...] = tuple(
            Kind(
                name,
                code,
                known[name].value,
                tuple((start, weight // shared) for start, weight in steps_of.get(name, ((0, 0),))),
                _hidden_for(known[name].hide),
                known[name].click,
                known[name].repeats,
            )
            if name in known
            else None
            for name, code in names.items()
        )
        self.kind_of = {kind.name: kind for kind in self.kinds if kind is not None}
        self.by_value = frozenset(kind.code for kind in self.kind_of.values() if kind.goes_by_value)
        self.items = Attributes(document.items)
        self.users = Fields(
            {name: Attribute(each.type, each.many, bands=each.bands) for name, each in document.users.items()}
        )
        self.context = Fields({name: Attribute(each.type, bands=each.bands) for name, each in document.context.items()})
        read_by_fold: list[object] = [self.unit, self.kinds, self.items.taste_rules(), self.together]
        if self.users:
            self.kind_of[_PROFILE.name] = _PROFILE
            read_by_fold.append(self.users.rules())
        self.code_of = {name: kind.code for name, kind in self.kind_of.items()}
        self.digest = blake2b(msgspec.json.encode(read_by_fold), digest_size=8).hexdigest()
        self._constant = tuple(None if kind is None or len(kind.steps) > 1 else kind.steps[0][1] for kind in self.kinds)

    def kind(self, code: int) -> Kind:
        """The kind of a code that an event of this home has."""
        found = _PROFILE if code == PROFILE else self.kinds[code]
        assert found is not None
        return found

    def weight(self, code: int, centi: int) -> int:
        """The weight, in units, of an event of this kind and value (hundredths; 0 without)."""
        constant = self._constant[code]
        if constant is not None:
            return constant
        weight = 0
        for start, step in self.kind(code).steps:
            if centi < start:
                break
            weight = step
        return weight

    def is_interest(self, code: int, centi: int) -> bool:
        """Whether an event says that its user is interested: a click, or a weight above 0."""
        return self.kind(code).click or self.weight(code, centi) > 0

    def names(self) -> list[str]:
        """The names of the kinds that the home knows, by code."""
        return list(self.code_of)

    def salted(self, salt: str) -> "Schema":
        """The same schema with a home's salt (hexadecimal)."""
        return Schema(msgspec.structs.replace(self.document, salt=salt))

    def text(self) -> str:
        """The schema as a file says it (see `features.schema.document`)."""
        return write_document(self.document)


def read_schema(text: str, where: str) -> Schema:
    """The schema that a file's text says. Raises BadInput as `read_document` does."""
    return Schema(read_document(text, where))


@cache
def preset_schema(name: str = DEFAULT) -> Schema:
    """The schema of a preset. Raises BadInput for one that there is not."""
    return Schema(preset(name))


def is_act(code: int) -> bool:
    """Whether a kind is something that a user does to an item: neither an impression nor about other events, nor a profile."""
    return CLICK <= code < UNDO or len(KINDS) <= code < PROFILE


def _hidden_for(hide: str) -> Millis:
    if hide == "forever":
        return FOREVER
    return span_ms(hide) or 0 if hide else 0
