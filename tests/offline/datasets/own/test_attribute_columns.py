"""Columns are read as what the schema says their attribute is; what does not fit is left out, counted and told."""

from typing import Any

import pyarrow as pa
import pytest

from features.errors import BadInput
from features.schema.attribute_values import MAX_TEXT
from features.schema.declarations import Attribute
from offline.datasets.own.attribute_columns import (
    BUILT_IN_TYPES,
    Misfit,
    has_several,
    read_column,
    refuse_misfits,
    values_of,
)

SECONDS = 1_700_000_000
MS = SECONDS * 1000
FACET, TAGS = Attribute("facet"), Attribute("facet", many=True)


def read(attribute: Attribute, values: list[Any], kind: pa.DataType | None = None, name: str = "it") -> list[Any]:
    return read_column(pa.chunked_array([pa.array(values, kind)]), attribute, Misfit("It", name))


@pytest.mark.parametrize(
    ("attribute", "values", "expected"),
    [
        (FACET, [1001, None], [("1001",), None]),
        (FACET, [1001.0, None, float("nan"), 1.5], [("1001",), None, None, ("1.5",)]),
        (FACET, ["Salt|Pepper", " 007 "], [("Salt|Pepper",), (" 007 ",)]),
        (FACET, [["a"], []], [("a",), None]),
        (FACET, [True], [("true",)]),
        (TAGS, ["a| b||a", "1"], [("a", "b"), ("1",)]),
        (TAGS, [["a|b", "c"]], [("a|b", "c")]),
        (Attribute("time"), [SECONDS, MS, MS * 1000, MS * 10**6], [MS] * 4),
        (Attribute("time"), [str(SECONDS), "2023-11-14T22:13:20Z"], [MS] * 2),
        (Attribute("text"), [7.0, 1.5], ["7", "1.5"]),
        (Attribute("text"), ["again", "again"], ["again", "again"]),
        (Attribute("number"), ["7", "7.5"], [7, 7.5]),
        (Attribute("vector", size=1), [[0.5], None], [(0.5,), None]),
        (Attribute("flag"), [0, 1], [False, True]),
    ],
)
def test_a_value_is_read_by_the_type_that_is_declared(
    attribute: Attribute, values: list[Any], expected: object
) -> None:
    assert read(attribute, values) == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("available", ["0", "1", "yes", "NO", "true", None], [False, True, True, False, True, None]),
        ("available", [0, 1], [False, True]),
        ("available", [0.0, 1.0], [False, True]),
        ("expires", [SECONDS, MS], [MS, MS]),
        ("expires", ["2023-11-14T22:13:20Z", str(MS * 1000)], [MS, MS]),
        ("image_url", ["https://h/1.png", "/img/1.jpg", "https://h/a b.png"], ["https://h/1.png", None, None]),
    ],
)
def test_what_every_item_has_is_read_by_the_contract(name: str, values: list[Any], expected: object) -> None:
    assert read(BUILT_IN_TYPES[name], values, name=name) == expected


@pytest.mark.parametrize(
    ("attribute", "values", "told"),
    [
        (Attribute("number"), ["9", "9 EUR", "n/a"], "2 values of It don't fit: expected a number, got '9 EUR'"),
        (Attribute("number"), [True], "1 values of It don't fit: expected a number, got true"),
        (FACET, [["a", "b"]], "expected a string of 1 to 128 printable characters, got 2 values"),
        (FACET, ["a\nb"], "expected a string of 1 to 128 printable characters, got a control character"),
        (Attribute("flag"), ["maybe"], "expected true or false, yes or no, 1 or 0, got 'maybe'"),
        (
            Attribute("time"),
            ["soon", None],
            "expected a time: seconds, ms, µs or ns since 1970, or ISO 8601, got 'soon'",
        ),
        (Attribute("vector", size=2), ["[1, 2]"], "expected a list of numbers, got '[1, 2]'"),
        (Attribute("vector", size=2), [["a", "b"]], "expected a list of numbers, got 2 values"),
        (Attribute("vector", size=2), [[1.0]], "expected 2 numbers, got 1 values"),
        (Attribute("place"), [{"lat": 1.0}, None], "expected [latitude, longitude], got an object"),
        (Attribute("place"), [[99.0, 0.0]], "expected [latitude, longitude]: -90 to 90, -180 to 180, got [99.0, 0.0]"),
    ],
)
def test_what_does_not_fit_is_left_out_and_told(attribute: Attribute, values: list[Any], told: str) -> None:
    misfit = Misfit("It", "it")
    found = read_column(pa.chunked_array([pa.array(values)]), attribute, misfit)
    assert sum(each is not None for each in found) == misfit.seen - misfit.unfit
    assert told in misfit.text


@pytest.mark.parametrize("at", [-1, -(2**63) + 1])
def test_a_time_that_no_date_has_is_told_as_any_other(at: int) -> None:
    misfit = Misfit("It", "it")
    column = pa.chunked_array([pa.array([at, MS], pa.timestamp("ms", "UTC"))])
    assert read_column(column, Attribute("time"), misfit) == [None, MS]
    assert misfit.text.startswith("1 values of It don't fit: expected a time")


def test_more_than_a_tenth_is_refused_but_of_images() -> None:
    column = pa.chunked_array([pa.array(["1"] * 90 + ["x"] * 10 + [None] * 900)])
    tenth = Misfit("Price", "price")
    read_column(column, Attribute("number"), tenth)
    assert (tenth.seen, tenth.unfit) == (100, 10)
    refuse_misfits("items.csv", [tenth])
    tenth.add("a number", "'y'")
    expected = (
        r"^items.csv, column Price: expected a number, at least 90% of its values, got 11 of 100 that are none, such as"
    )
    with pytest.raises(BadInput, match=expected):
        refuse_misfits("items.csv", [tenth])
    refuse_misfits("items.csv", [Misfit("image_url", "image_url", 10, 10, "an address", "'/1'")])


def test_a_column_of_several_is_told_by_all_of_its_values() -> None:
    few, enough = ["a|b", *"cdefghijkl"], ["a|b", *"cdefghijk"]
    assert not has_several(pa.array(few))
    assert has_several(pa.array(enough))
    assert not has_several(pa.array([], pa.string()))
    assert values_of(pa.chunked_array([pa.array(["a|b", " "])]), many=False) == [("a|b",), ()]
    assert values_of(pa.chunked_array([pa.array([["a", " ", " b"], [" "]])]), many=True) == [("a", " b"), ()]


@pytest.mark.parametrize(
    ("attribute", "values", "used", "told"),
    [
        (
            TAGS,
            ["|".join(map(str, range(65))), "a|b"],
            [tuple(map(str, range(64))), ("a", "b")],
            "1 values of It are shortened to 64 values of 128 characters",
        ),
        (FACET, ["x" * 129], [("x" * 128,)], "1 values of It are shortened to 64 values of 128 characters"),
        (
            Attribute("text"),
            ["x" * (MAX_TEXT + 1), "y"],
            ["x" * MAX_TEXT, "y"],
            "1 values of It are shortened to 10,000 characters",
        ),
        (TAGS, [["x" * 128 + "1", "x" * 128 + "2"]], [("x" * 128,)], "shortened"),
    ],
)
def test_what_is_too_long_is_shortened_counted_and_told(
    attribute: Attribute, values: list[Any], used: object, told: str
) -> None:
    misfit = Misfit("It", "it")
    found = read_column(pa.chunked_array([pa.array(values)]), attribute, misfit)
    assert told in misfit.text
    assert misfit
    assert not misfit.unfit
    assert found == used
    refuse_misfits("a file", [misfit])


def test_of_what_fits_there_is_nothing_to_say() -> None:
    misfit = Misfit("It", "it")
    read_column(pa.chunked_array([pa.array(["a"])]), FACET, misfit)
    assert not misfit
