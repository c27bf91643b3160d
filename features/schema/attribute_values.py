"""The values of items' attributes, checked by the type that the schema gives them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from features.characters import unprintable
from features.errors import BadInput
from features.schema.declarations import Attribute, AttributeType
from features.types import MAX_ID, Value

MAX_FACET_VALUES: Final = 64
MAX_FACET_CHARS: Final = 128
MAX_TEXT: Final = 10_000
"""Characters of a text."""
MAX_NUMBER: Final = 1e15

Checked = Value | tuple[str, ...]
"""A value as it is kept: of a facet with many values a tuple of them, each once."""


def check_value(name: str, attribute: Attribute, value: Any) -> Checked:
    """A value as read from JSON, checked and made what is kept. Raises BadInput naming the attribute."""
    return _CHECKS[attribute.type](name, attribute, value)


def received(value: Any) -> str:
    """What came, for a refusal; at most some 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value) if len(value) <= 50 else f"{value[:40]!r}… of {len(value)} characters"
    if isinstance(value, list | tuple):
        return f"{len(value)} values"
    if isinstance(value, dict):
        return "an object"
    return str(value).lower() if isinstance(value, bool) else str(value)[:60]


def _facet(name: str, attribute: Attribute, value: Any) -> Checked:
    if not attribute.many:
        return _facet_value(name, value)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or len(values) > MAX_FACET_VALUES:
        raise BadInput(name, f"at most {MAX_FACET_VALUES} strings", received(value))
    return tuple(dict.fromkeys(_facet_value(f"{name}[{at}]", each) for at, each in enumerate(values)))


def _facet_value(name: str, value: Any) -> str:
    expected = f"a string of 1 to {MAX_FACET_CHARS} printable characters"
    if not isinstance(value, str) or not 0 < len(value) <= MAX_FACET_CHARS:
        raise BadInput(name, expected, received(value))
    if (fault := unprintable(value)) is not None:
        raise BadInput(name, expected, fault)
    return value


def _number(name: str, attribute: Attribute, value: Any) -> Checked:
    if not _is_number(value):
        raise BadInput(name, f"a number from -{MAX_NUMBER:.0e} to {MAX_NUMBER:.0e}", received(value))
    number: int | float = value
    return number


def _time(name: str, attribute: Attribute, value: Any) -> Checked:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ID:
        raise BadInput(name, "a time: whole milliseconds since 1970", received(value))
    return value


def _flag(name: str, attribute: Attribute, value: Any) -> Checked:
    if not isinstance(value, bool):
        raise BadInput(name, "true or false", received(value))
    return value


def _text(name: str, attribute: Attribute, value: Any) -> Checked:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BadInput(name, f"a text of at most {MAX_TEXT} characters", received(value))
    return value


def _vector(name: str, attribute: Attribute, value: Any) -> Checked:
    return _numbers(name, value, attribute.size, f"{attribute.size} numbers")


def _where(name: str, attribute: Attribute, value: Any) -> Checked:
    expected = "[latitude, longitude]: -90 to 90, -180 to 180"
    latitude, longitude = _numbers(name, value, 2, expected)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise BadInput(name, expected, str([latitude, longitude]))
    return latitude, longitude


def _numbers(name: str, value: Any, count: int, expected: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or len(value) != count:
        raise BadInput(name, expected, received(value))
    for at, each in enumerate(value):
        if not _is_number(each):
            raise BadInput(f"{name}[{at}]", f"a number from -{MAX_NUMBER:.0e} to {MAX_NUMBER:.0e}", received(each))
    return tuple(map(float, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


_CHECKS: Final[Mapping[AttributeType, Callable[[str, Attribute, Any], Checked]]] = {
    "facet": _facet,
    "number": _number,
    "time": _time,
    "flag": _flag,
    "text": _text,
    "vector": _vector,
    "place": _where,
}
