"""Request bodies to Python values: quickly where the body is plain JSON, exactly where it is not.

TensorFlow Serving reads JSON with rapidjson, which takes more than the standard does (NaN, Infinity, anything after the
first value) and says where it stopped. orjson reads nearly every body there is; what it refuses is read again here, by
rapidjson's rules and with its messages and byte offsets.

Text is kept as str with ``surrogateescape``: bytes that are not UTF-8 come back out as they came in. Of a key that an
object has twice the first one counts, where orjson takes the last; that is looked at for the keys of a request alone.
"""

import json
import re
from typing import Any

import orjson

from models.server.errors import ServingError, invalid
from models.server.rest_json.error_text import format_error

MAX_DEPTH = 1000
"""Lists and objects nested deeper than this are refused (orjson stops at 1,024)."""

_REQUEST_KEYS = (b'"signature_name"', b'"instances"', b'"inputs"', b'"examples"', b'"context"')

EXACT_BYTES = 64 * 1024
"""Bodies up to this size are read exactly; that is slow, so a longer one gets the standard library's text."""


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises INVALID_ARGUMENT, with what is wrong and where, for anything else."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    document: Any
    try:
        document = orjson.loads(body)
        if any(body.count(key) > 1 for key in _REQUEST_KEYS):
            del document  # as large as the one that is read now
            document = _read_large(body)
    except orjson.JSONDecodeError:
        document = _Reader(body).read() if len(body) <= EXACT_BYTES else _read_large(body)
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")
    return document


def _read_large(body: bytes) -> Any:
    body = _plain_surrogates(body)
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").lstrip(" \n\r\t")
    try:
        return json.JSONDecoder(object_pairs_hook=_first_wins).raw_decode(text)[0]
    except json.JSONDecodeError as error:
        offset = len(body) - len(text[error.pos :].encode("utf-8", "surrogateescape"))
        raise invalid(f"JSON Parse error: {error.msg}. at offset: {offset}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # a whole number of thousands of digits
        raise invalid(f"JSON Parse error: {error}") from None


def _plain_surrogates(body: bytes) -> bytes:
    """``body`` with each escaped low surrogate that has no high one before it as its bytes, which the standard library can't tell
    from a byte that is no UTF-8. Raises INVALID_ARGUMENT for a high one without a low one."""
    if not _SURROGATE.search(body):
        return body

    def plain(match: re.Match[bytes]) -> bytes:
        if match["low"]:
            return match["before"] + chr(int(match["low"], 16)).encode("utf-8", "surrogatepass")
        if not match["pair"]:
            _Reader(body).read_escape(match.end("before"))
        return match[0]

    return _SURROGATES.sub(plain, body)


def _first_wins(members: list[tuple[str, Any]]) -> dict[str, Any]:
    first = dict(reversed(members))
    return {key: first[key] for key, _ in members}


def _too_deep() -> ServingError:
    return invalid(f"JSON Parse error: nested deeper than {MAX_DEPTH} levels")


_SPACE = re.compile(rb"[ \n\r\t]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_INTEGER = re.compile(rb"0|[1-9][0-9]*")
_DIGITS = re.compile(rb"[0-9]+")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_WORDS: dict[bytes, tuple[bytes, Any]] = {b"t": (b"true", True), b"f": (b"false", False), b"n": (b"null", None)}

_SURROGATE = re.compile(rb"\\u[Dd][89A-Fa-f]")
_SURROGATES = re.compile(  # after pairs of backslashes, each of which stands for one
    rb"(?<!\\)(?P<before>(?:\\\\)*)\\u"
    rb"(?:[Dd][89ABab][0-9A-Fa-f]{2}(?P<pair>\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})?|(?P<low>[Dd][C-Fc-f][0-9A-Fa-f]{2}))"
)

_NO_VALUE = "Invalid value."
_BAD_ESCAPE = "Invalid escape character in string."
_BAD_PAIR = "The surrogate pair in string is invalid."


class _Reader:
    """One pass over one body; a NUL byte is its end, as it is for rapidjson."""

    def __init__(self, body: bytes) -> None:
        end = body.find(b"\0")
        self._body = body if end < 0 else body[:end]
        self._at = 3 if body.startswith(b"\xef\xbb\xbf") else 0
        self._root: Any = None

    def read(self) -> Any:
        """The first value in the body. Open containers are on a stack of our own, not on Python's."""
        stack: list[list[Any] | dict[str, Any]] = []
        keys: list[str] = []
        while True:
            token = self._next()
            if token in (b"[", b"{"):
                if len(stack) >= MAX_DEPTH:
                    raise _too_deep()
                self._at += 1
                stack.append([] if token == b"[" else {})
                if self._next() != (b"]" if token == b"[" else b"}"):
                    if token == b"{":
                        keys.append(self._key())
                    continue
                self._at += 1
                value: Any = stack.pop()
            elif not stack and token in (b"", b"]", b"}", b",", b":"):
                raise self._error("The document is empty.")
            else:
                value = self._scalar(token)
            if self._into_containers(value, stack, keys):
                continue
            return self._root

    def _into_containers(self, value: Any, stack: list[list[Any] | dict[str, Any]], keys: list[str]) -> bool:
        """Put a finished value where it belongs and close what ends with it; whether another value is to come."""
        while stack:
            container = stack[-1]
            if isinstance(container, list):
                container.append(value)
                close, missing = b"]", "Missing a comma or ']' after an array element."
            else:
                container.setdefault(keys.pop(), value)
                close, missing = b"}", "Missing a comma or '}' after an object member."
            token = self._next()
            if token not in (b",", close):
                raise self._error(missing)
            self._at += 1
            if token == b",":
                if isinstance(container, dict):
                    self._next()
                    keys.append(self._key())
                return True
            value = stack.pop()
        self._root = value
        return False

    def read_escape(self, start: int) -> bytes:
        """The bytes for which the escape at ``start`` stands. Raises INVALID_ARGUMENT if it stands for none."""
        self._at = start
        return self._escape()

    def _next(self) -> bytes:
        """Skip white space; the byte that is there then, empty at the end."""
        match = _SPACE.match(self._body, self._at)
        self._at = match.end() if match else self._at
        return self._peek()

    def _peek(self) -> bytes:
        return self._body[self._at : self._at + 1]

    def _error(self, text: str, offset: int | None = None) -> ServingError:
        return invalid(f"JSON Parse error: {text} at offset: {self._at if offset is None else offset}")

    def _key(self) -> str:
        if self._peek() != b'"':
            raise self._error("Missing a name for object member.")
        key = self._string()
        if self._next() != b":":
            raise self._error("Missing a colon after a name of object member.")
        self._at += 1
        return key

    def _scalar(self, token: bytes) -> Any:
        if token == b'"':
            return self._string()
        if token in _WORDS:
            word, value = _WORDS[token]
            self._expect(word)
            return value
        return self._number()

    def _expect(self, word: bytes) -> None:
        for index in range(len(word)):
            if self._peek() != word[index : index + 1]:
                raise self._error(_NO_VALUE)
            self._at += 1

    def _string(self) -> str:
        self._at += 1
        parts = []
        while True:
            match = _PLAIN.match(self._body, self._at)
            if match:
                parts.append(match.group())
                self._at = match.end()
            char = self._peek()
            if char == b"\\":
                parts.append(self._escape())
                continue
            if char != b'"':
                raise self._error(_BAD_ESCAPE if char else "Missing a closing quotation mark in string.")
            self._at += 1
            return b"".join(parts).decode("utf-8", "surrogateescape")

    def _escape(self) -> bytes:
        start = self._at
        self._at += 1
        char = self._peek()
        self._at += 1
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char != b"u":
            raise self._error(_BAD_ESCAPE, start)
        point = self._hex4(start)
        if 0xD800 <= point <= 0xDBFF:
            if self._body[self._at : self._at + 2] != b"\\u":
                raise self._error(_BAD_PAIR, start)
            self._at += 2
            low = self._hex4(start)
            if not 0xDC00 <= low <= 0xDFFF:
                raise self._error(_BAD_PAIR, start)
            point = 0x10000 + ((point - 0xD800) << 10 | low - 0xDC00)
        return chr(point).encode("utf-8", "surrogatepass")

    def _hex4(self, start: int) -> int:
        match = _HEX4.match(self._body, self._at)
        if not match:
            raise self._error("Incorrect hex digit after \\u escape in string.", start)
        self._at += 4
        return int(match.group(), 16)

    def _number(self) -> int | float:
        start = self._at
        negative = self._take(b"-")
        match = _INTEGER.match(self._body, self._at)
        if not match:
            value = self._not_a_number_or_infinite()
            return -value if negative else value
        self._at = match.end()
        fraction = exponent = None
        if self._take(b"."):
            fraction = self._digits("Miss fraction part in number.")
        if self._take(b"e") or self._take(b"E"):
            sign = b"-" if self._take(b"-") else b""
            if not sign:
                self._take(b"+")
            exponent = int(sign + self._digits("Miss exponent in number.")[:9])
        text = self._body[start : self._at]
        if fraction is None and exponent is None and len(text) <= 20:
            whole = int(text)
            if -(2**63) <= whole < 2**64:
                return whole
        number = float(text)
        if (exponent or 0) > 308 + len(fraction or b"") or (exponent is None and abs(number) == float("inf")):
            raise self._error("Number too big to be stored in double.", start)
        return number

    def _take(self, char: bytes) -> bool:
        if self._peek() != char:
            return False
        self._at += 1
        return True

    def _digits(self, missing: str) -> bytes:
        match = _DIGITS.match(self._body, self._at)
        if not match:
            raise self._error(missing)
        self._at = match.end()
        return match.group()

    def _not_a_number_or_infinite(self) -> float:
        if self._peek() == b"N":
            self._expect(b"NaN")
            return float("nan")
        if self._peek() == b"I":
            self._expect(b"Inf")
            if self._peek() == b"i":
                self._expect(b"inity")
            return float("inf")
        raise self._error(_NO_VALUE)
