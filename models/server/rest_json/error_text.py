"""JSON values inside error messages: their kind, and their text cut at 256 bytes, as TensorFlow Serving prints them."""

from collections.abc import Iterator
from typing import Any

from models.server.errors import ServingError, invalid

MAX_BYTES = 256
MAX_STRING = 4096  # of one string; the original has no bound here, and sends back whatever it was sent
INDENT = "    "
_END = "\0"

_NAMED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES = str.maketrans({chr(code): f"\\u{code:04X}" for code in range(32)} | _NAMED)


def type_name(value: Any) -> str:
    """The kind of a JSON value, by rapidjson's names."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "True" if value else "False"
    for kind, name in ((int, "Number"), (float, "Number"), (str, "String"), (list, "Array")):
        if isinstance(value, kind):
            return name
    return "Object"


def quote(text: str) -> str:
    """``text`` as a JSON string; only what must be escaped is."""
    return f'"{text.translate(_ESCAPES)}"'


def describe(value: Any) -> str:
    """``value`` as text: objects over several lines, lists on one, nothing new begun after 256 bytes."""
    parts: list[str] = []
    size = 0
    for part in _tokens(value, 0):
        if size >= MAX_BYTES or part is _END:
            break
        parts.append(part)
        size += len(part.encode("utf-8", "surrogateescape"))
    return "".join(parts)


def _tokens(value: Any, level: int) -> Iterator[str]:
    """The text token by token; a token carries the separator before it. NaN and Infinity end the text."""
    if isinstance(value, dict):
        yield "{"
        inner = "\n" + INDENT * (level + 1)
        for index, (key, item) in enumerate(value.items()):
            yield f"{',' if index else ''}{inner}{quote(key[:MAX_STRING])}"
            yield from _with_prefix(": ", _tokens(item, level + 1))
        yield "\n" + INDENT * level + "}" if value else "}"
    elif isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            yield from _with_prefix(", " if index else "", _tokens(item, level + 1))
        yield "]"
    else:
        text = _scalar(value)
        if text is None:
            yield ""
            yield _END
        else:
            yield text


def _with_prefix(prefix: str, tokens: Iterator[str]) -> Iterator[str]:
    yield prefix + next(tokens)
    yield from tokens


def _scalar(value: Any) -> str | None:
    if isinstance(value, str):
        return quote(value[:MAX_STRING])
    if isinstance(value, float):
        return double_text(value)
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def double_text(value: float) -> str | None:
    """The shortest text of a double as rapidjson lays it out (1.5, 12340000000.0, 1e30); None if it is not finite."""
    if value != value or value in (float("inf"), float("-inf")):
        return None
    sign = "-" if str(value).startswith("-") else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    if not digits:
        return f"{sign}0.0"
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    if len(digits) <= point <= 21:
        return f"{sign}{digits.ljust(point, '0')}.0"
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}e{point - 1}"


def type_error(value: Any, dtype_name: str) -> ServingError:
    """A value that does not fit the element type of its tensor."""
    return invalid(f"JSON Value: {describe(value)} Type: {type_name(value)} is not of expected type: {dtype_name}")


def format_error(document: Any, text: str) -> ServingError:
    """A document that is JSON but not a request."""
    return invalid(f"JSON Value: {describe(document)} {text}")
