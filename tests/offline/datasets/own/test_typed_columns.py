"""Ids, times and values are read from whatever types columns have; what can't be read is null."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from offline.datasets.own.typed_columns import NO_VALUE, as_numbers, centis, flags, texts, times

AT = 1_700_000_000_123


def of(values: Sequence[object], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(list(values), kind)])


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1700000000", 1_700_000_000_000),
        (" 1700000000.123 ", AT),
        ("1700000000123", AT),
        ("1700000000123456", AT),
        ("1700000000123456789", AT),
        ("2023-11-14T22:13:20.123Z", AT),
        ("2023-11-14 22:13:20.123", AT),
        ("2023-11-14 22:13:20.123 UTC", AT),
        ("2023-11-14T23:13:20.123+01:00", AT),
        ("2023-11-14", 1_699_920_000_000),
        ("20231114", 1_699_920_000_000),
        ("20231114T221320Z", 1_700_000_000_000),
        ("20231314", 20_231_314_000),
        ("0", 0),
        ("yesterday", None),
        ("2023-13-14", None),
        ("-5", None),
        ("2999-01-01", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_times_of_text(text: str | None, ms: int | None) -> None:
    assert times(of([text], pa.string())).to_pylist() == [ms]
    assert times(of([text, "1700000000123"], pa.string())).to_pylist() == [ms, AT]


def test_times_of_other_types() -> None:
    moment = datetime.fromtimestamp(AT / 1000, UTC)
    assert times(of([AT, -1, None])).to_pylist() == [AT, None, None]
    assert times(of([AT * 1_000_000 + 1, AT * 1000, None])).to_pylist() == [AT, AT, None]
    assert times(of([19_700_101, 20_240_229, 20_230_229])).to_pylist() == [0, 1_709_164_800_000, 20_230_229_000]
    assert times(of([1_700_000_000.123, float("nan")])).to_pylist() == [AT, None]
    for unit in ("ms", "us", "ns"):
        assert times(of([moment], pa.timestamp(unit, "UTC"))).to_pylist() == [AT]
        assert times(of([moment.replace(tzinfo=None)], pa.timestamp(unit))).to_pylist() == [AT]
    assert times(of([date(2023, 11, 14)])).to_pylist() == [1_699_920_000_000]
    assert times(of([True])).to_pylist() == [None]


def test_values() -> None:
    text = ["1.5", " 2 ", "0.005", "1e2", "-1", "inf", "nan", "1e99", "12,50", "", None]
    assert centis(of(text, pa.string())).to_pylist() == [150, 200, 1, 10_000, *[NO_VALUE] * 5, None, None]
    assert centis(of([0.125, 3.0, float("nan"), None, float("inf")])).to_pylist() == [13, 300, None, None, NO_VALUE]
    assert centis(of([7, -7, 2**60 + 1])).to_pylist() == [700, NO_VALUE, NO_VALUE]
    assert centis(of([Decimal("9.99"), None])).to_pylist() == [999, None]


@pytest.mark.parametrize(
    ("text", "centi"),
    [
        ("59.970000000000006", 5997),
        ("183.52394723892211", 18_352),
        (f"1.{'3' * 40}", 133),
        (f"{'0' * 40}7", 700),
        (".5", 50),
        ("5.", 500),
        ("+3", 300),
        ("1.2e-105", 0),
        ("1e999", NO_VALUE),
        ("1.5.2", NO_VALUE),
        (".", NO_VALUE),
        ("e5", NO_VALUE),
    ],
)
def test_any_decimal_notation_is_a_value(text: str, centi: int) -> None:
    assert centis(of([text], pa.string())).to_pylist() == [centi]


def test_ids() -> None:
    assert texts(of([7, None])).to_pylist() == ["7", None]
    floats = [7.0, 7.5, 0.1, -3.0, float(2**53), float("nan"), float("inf"), None]
    assert texts(of(floats)).to_pylist() == ["7", "7.5", "0.1", "-3", *[None] * 4]
    assert texts(of([7.1], pa.float32())).to_pylist() == ["7.1"]
    assert texts(of([" a ", " ", "", None], pa.string())).to_pylist() == [" a ", None, None, None]
    assert texts(of([["a", None, "b"], None, [None]])).to_pylist() == ["a|b", None, None]
    assert texts(of([[1, 2**60 + 1]])).to_pylist() == ["1|1152921504606846977"]
    assert texts(of([2**60 + 1])).to_pylist() == ["1152921504606846977"]
    assert texts(of(["x", "x"], pa.dictionary(pa.int32(), pa.string()))).to_pylist() == ["x", "x"]


def test_what_is_no_text_is_read_whatever_blanks_are_around_it() -> None:
    assert centis(of([" 2.50\t", " "])).to_pylist() == [250, None]
    assert flags(of([" Yes", "no ", " "])) == [True, False, None]


def test_numbers_are_numbers_if_all_are() -> None:
    numbers = as_numbers(pa.array(["-1.5", "2e3"]))
    assert numbers is not None
    assert numbers.to_pylist() == [-1.5, 2000.0]
    assert as_numbers(pa.array(["1", "one"])) is None
    precise = as_numbers(pa.array([f"0.{'1' * 20}", "-.5", "1e-300"]))
    assert precise is not None
    assert precise.to_pylist() == [0.1111111111111111, -0.5, 1e-300]
