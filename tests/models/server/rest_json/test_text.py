"""Reading JSON: the exact reader agrees with the quick one where both read, and with rapidjson where it does not."""

import json
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.server.errors import Code, ServingError
from models.server.rest_json.text import EXACT_BYTES, parse_object

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_the_exact_reader_reads_what_json_writes(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    followed = b'{"value": ' + body + b"} and more"  # no JSON to a strict reader
    assert parse_object(followed)["value"] == json.loads(text)


@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE+-truefalsnNIity\\ \n', max_size=60).map(str.encode)
)
def test_any_bytes_are_an_object_or_an_error(body: bytes) -> None:
    try:
        assert isinstance(parse_object(body), dict)
    except ServingError as error:
        assert error.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("body", "text", "offset"),
    [
        (b"  ", "The document is empty.", 2),
        (b"]", "The document is empty.", 0),
        (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
        (b"{1: 2}", "Missing a name for object member.", 1),
        (b'{"a": 1,}', "Missing a name for object member.", 8),
        (b'{"a": 1 "b": 2}', "Missing a comma or '}' after an object member.", 8),
        (b'{"a": [1 2]}', "Missing a comma or ']' after an array element.", 9),
        (b'{"a": [1,]}', "Invalid value.", 9),
        (b'{"a": }', "Invalid value.", 6),
        (b'{"a": tru}', "Invalid value.", 9),
        (b'{"a": -x}', "Invalid value.", 7),
        (b'{"a": 01}', "Missing a comma or '}' after an object member.", 7),
        (b'{"a": 1.}', "Miss fraction part in number.", 8),
        (b'{"a": 1e+}', "Miss exponent in number.", 9),
        (b'{"a": 1e400}', "Number too big to be stored in double.", 6),
        (b'{"a": "b', "Missing a closing quotation mark in string.", 8),
        (b'{"a": "\\x"}', "Invalid escape character in string.", 7),
        (b'{"a": "\\u12g4"}', "Incorrect hex digit after \\u escape in string.", 7),
        (b'{"a": "\\ud800x"}', "The surrogate pair in string is invalid.", 7),
        (b'{"a": Nan}', "Invalid value.", 8),
    ],
)
def test_where_and_why_it_stopped(body: bytes, text: str, offset: int) -> None:
    with pytest.raises(ServingError) as caught:
        parse_object(body)
    assert caught.value.message == f"JSON Parse error: {text} at offset: {offset}"


def test_what_the_standard_does_not_have() -> None:
    document = parse_object(b'\xef\xbb\xbf{"a": [NaN, -Infinity, Inf], "b": "\xff", "b": 2} trailing')
    assert math.isnan(document["a"][0])
    assert document["a"][1:] == [-math.inf, math.inf]
    assert document["b"].encode("utf-8", "surrogateescape") == b"\xff"


def test_a_document_that_is_no_object() -> None:
    with pytest.raises(ServingError, match=r"JSON Value: \[1, 2\] Is not object"):
        parse_object(b"[1,2]")


def test_a_long_body_is_read_by_the_same_rules_with_a_shorter_message() -> None:
    padding = b'"' + b"x" * EXACT_BYTES + b'"'
    document = parse_object(b'{"p": ' + padding + b', "a": [NaN, 1], "b": "\xff"} trailing')
    assert document["a"][1] == 1
    with pytest.raises(ServingError, match=rf"at offset: {len(padding) + 14}$"):
        parse_object(b'{"p": ' + padding + b',  "a": x}')


@pytest.mark.parametrize("size", [2000, 200_000])
def test_depth_is_bounded(size: int) -> None:
    with pytest.raises(ServingError, match="nested deeper than 1000 levels"):
        parse_object(b'{"a": ' + b"[" * size)


SURROGATES = (
    rb"\ud83d\ude00",
    rb"\udc00",
    rb"\uDC85\udfff \ud83d\ude00\udc00",
    rb"\\ud83d",
    rb"\\\udc00 \\\\ud800",
    rb"\\ud83d\udc00",
    rb"\n\udc00\t\\",
)
"""Escapes that both readers take; after a pair of backslashes there is none."""


@pytest.mark.parametrize("text", SURROGATES)
def test_surrogates_of_a_long_body_are_read_as_those_of_a_short_one(text: bytes) -> None:
    short = b'{"a": "' + text + b'"}'
    value = parse_object(short + b" trailing")["a"]
    assert parse_object(short + b" " * EXACT_BYTES + b"trailing")["a"] == value
    assert value.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("text", [rb"\ud83d", rb"\ud83dx", rb"\\\ud83d\n", rb"\ud83d\u0041", rb"\ud83d\ud83d\ude00"])
@pytest.mark.parametrize("padding", [0, EXACT_BYTES])
def test_a_high_surrogate_alone_is_refused_whatever_the_length_of_the_body(text: bytes, padding: int) -> None:
    before = b'{"a":' + b" " * padding + b'"'
    offset = len(before) + text.index(b"\\u")
    with pytest.raises(ServingError) as caught:
        parse_object(before + text + b'"}')
    assert caught.value.message == f"JSON Parse error: The surrogate pair in string is invalid. at offset: {offset}"


def peak_of(body: bytes) -> int:
    tracemalloc.start()
    try:
        parse_object(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_of_a_body_that_is_read_twice_the_first_reading_is_not_held() -> None:
    rows = b'"instances": [' + b"{}," * 50_000 + b"{}]}"
    assert peak_of(b'{"instances": 1, ' + rows) < 1.2 * peak_of(b'{"other": 1, ' + rows)
