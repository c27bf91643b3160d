"""Columns of a file → ids as text, times in ms, values in hundredths. What can't be read becomes null."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import BoolArray, DoubleArray
from features.contracts.events import FUTURE_SLACK_MS
from features.schema.event_kinds import MAX_VALUE
from features.types import MAX_ID
from features.units import DAY_MS

_NUMBER: Final = r"^[0-9]{1,19}(\.[0-9]+)?$"
_DECIMAL: Final = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
FIRST_DAY: Final = 19_700_101
LAST_DAY: Final = 21_001_231
"""Numbers from the first to the last that are a day of the calendar are dates: as seconds they would be of 1970."""
NO_VALUE: Final = -1
"""Hundredths that no value has: of what stands where a value should and is none, or is out of all ranges."""
EXACT_BELOW: Final = 1 << 53
"""Below it a float tells each whole number from its neighbours: no id that came as a float is larger, and no time
that came as a number later."""
FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "t", "1"), True),
    **dict.fromkeys(("false", "no", "f", "0"), False),
}
"""Words for flags, in small letters."""
_SIGNED: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_UTC: Final = r"\s*(UTC|GMT)$"
UNITS: Final = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (np.inf, 1e-6))
"""(numbers below this, ms in one of them): seconds, ms, µs, ns since 1970. Each reaches from 1973 to beyond 5000."""


def texts(column: pa.ChunkedArray) -> pa.Array:
    """Ids or names as text, as they stand; null where there is none, or blanks alone. A whole number that came as a float is
    that number, another the decimals that tell it from its neighbours; one from 2⁵³ on is none, as floats no longer tell it
    from those."""
    flat = _flat(column)
    if pa.types.is_floating(flat.type):
        flat = _text_of_floats(flat)
    if pa.types.is_list(flat.type):
        joined = (None if value is None else _joined(value) for value in flat.to_pylist())
        flat = pa.array(list(joined), pa.string())
    words = _string(flat)
    return pc.if_else(trimmed(words).is_valid(), words, pa.scalar(None, pa.string()))


def trimmed(words: pa.Array) -> pa.Array:
    """Texts without blanks around them; null where nothing else stands: what is read as anything but a text goes by these."""
    bare = pc.utf8_trim_whitespace(words)
    return pc.if_else(pc.equal(bare, ""), pa.scalar(None, pa.string()), bare)


def _text_of_floats(flat: pa.Array) -> pa.Array:
    finite = without_nan(flat)
    exact = pc.if_else(pc.less(pc.abs(finite), float(EXACT_BELOW)), finite, pa.scalar(None, flat.type))
    is_whole = pc.equal(pc.floor(exact), exact)
    whole = pc.if_else(is_whole, exact, pa.scalar(None, flat.type)).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(whole, exact.cast(pa.string()))


def without_nan(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of floats with null for what is no number there; another column as it is."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_null(column, nan_is_null=True), pa.scalar(None, column.type), column)


def _joined(values: Sequence[Any]) -> str:
    return "|".join(str(each) for each in values if each is not None)


def times(column: pa.ChunkedArray, to_come: bool = False) -> pa.Array:
    """int64 ms since 1970, up to a minute from now, or also later where times may be `to_come`: of seconds, ms, µs or ns by their
    size, or of dates by ISO 8601, which are in UTC where they name no zone; 20231114 is a date, too."""
    flat = _flat(column)
    if pa.types.is_timestamp(flat.type):
        found = flat.cast(pa.timestamp("ms", flat.type.tz), safe=False).cast(pa.int64())
    elif pa.types.is_date(flat.type):
        found = flat.cast(pa.timestamp("ms")).cast(pa.int64())
    elif pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type):
        found = _scaled(flat.cast(pa.float64(), safe=False))
    else:
        found = _times_of_text(pc.utf8_trim_whitespace(_string(flat)))
    latest = MAX_ID if to_come else time.time_ns() // 1_000_000 + FUTURE_SLACK_MS
    good = pc.and_kleene(pc.greater_equal(found, 0), pc.less_equal(found, latest))
    return pc.if_else(pc.fill_null(good, False), found, pa.scalar(None, pa.int64()))


def _times_of_text(text: pa.Array) -> pa.Array:
    is_number = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
    numbers = _scaled(pc.if_else(is_number, text, pa.scalar(None, pa.string())).cast(pa.float64()))
    if pc.all(is_number).as_py():
        return numbers
    dates = pc.if_else(is_number, pa.scalar(None, pa.string()), text)
    dates = pc.replace_substring_regex(dates, _UTC, "")
    return pc.coalesce(numbers, _per_word(dates, _ms_of_date, pa.int64()))


def _ms_of_date(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _scaled(numbers: pa.Array) -> pa.Array:
    values = numbers.fill_null(-1.0).to_numpy(zero_copy_only=False)
    ms = np.full(len(values), -1.0)
    for limit, factor in reversed(UNITS):
        ms = np.where(values < limit, values * factor, ms)
    is_day, of_day = _days(values)
    ms = np.where(is_day, of_day, ms)
    good = np.isfinite(ms) & (ms >= 0) & (ms < 2**53)
    return pa.array(np.where(good, np.floor(np.where(good, ms, 0.0) + 0.5), 0).astype(np.int64), mask=~good)


def _days(values: DoubleArray) -> tuple[BoolArray, DoubleArray]:
    """Which numbers are dates such as 20231114, and the ms of those."""
    near = (values >= FIRST_DAY) & (values <= LAST_DAY) & (np.floor(values) == values)
    year, month_day = np.divmod(np.where(near, values, FIRST_DAY).astype(np.int64), 10_000)
    month, day = np.divmod(month_day, 100)
    start = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first, following = (each.astype("datetime64[D]").astype(np.int64) for each in (start, start + 1))
    is_day = near & (month >= 1) & (month <= 12) & (day >= 1) & (day <= following - first)
    return is_day, (first + day - 1) * float(DAY_MS)


def centis(column: pa.ChunkedArray, scale: float = 1.0) -> pa.Array:
    """int64 hundredths of numbers from 0 on, multiplied by `scale`; NO_VALUE for what is something else, null for nothing."""
    flat = _flat(column)
    if pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type) or pa.types.is_decimal(flat.type):
        numbers = without_nan(flat)
        missing, numbers = numbers.is_null(), numbers.cast(pa.float64(), safe=False)
    else:
        text = trimmed(texts(column))
        is_number = pc.fill_null(pc.match_substring_regex(text, _DECIMAL), False)
        missing = text.is_null()
        numbers = pc.if_else(is_number, text, pa.scalar(None, pa.string())).cast(pa.float64())
    values = numbers.fill_null(-1.0).to_numpy(zero_copy_only=False) * scale
    good = np.isfinite(values) & (values >= 0) & (values <= max(MAX_VALUE.values()))
    found = np.where(good, np.floor(np.where(good, values, 0.0) * 100 + 0.5), NO_VALUE).astype(np.int64)
    return pa.array(found, mask=missing.to_numpy(zero_copy_only=False))


def value_at(column: pa.ChunkedArray, row: int) -> Any:
    """What stands in a row, for who is told of it; a time as text, as Python has none after the year 9999."""
    if pa.types.is_temporal(column.type):
        return _string(_flat(column.slice(row, 1)))[0].as_py()
    return column[row].as_py()


def as_numbers(words: pa.Array) -> pa.Array | None:
    """Texts as float64; None where one of them is no number."""
    if not pc.all(pc.match_substring_regex(words, _SIGNED)).as_py():
        return None
    return words.cast(pa.float64())


def numbers(column: pa.ChunkedArray) -> list[int | float | None]:
    """Numbers, whole ones as int; None for anything else."""
    flat = _flat(column)
    if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type) or pa.types.is_decimal(flat.type)):
        text = pc.utf8_trim_whitespace(_string(flat))
        is_number = pc.fill_null(pc.match_substring_regex(text, _SIGNED), False)
        flat = pc.if_else(is_number, text, pa.scalar(None, pa.string())).cast(pa.float64())
    return [None if value is None else _number(float(value)) for value in flat.to_pylist()]


def _number(value: float) -> int | float | None:
    if not np.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < EXACT_BELOW else value


def flags(column: pa.ChunkedArray) -> list[bool | None]:
    """Flags, of booleans or of the words for them; None for anything else."""
    flat = _flat(column)
    if pa.types.is_boolean(flat.type):
        return list(flat.to_pylist())
    return [None if word is None else FLAGS.get(word.lower()) for word in trimmed(texts(column)).to_pylist()]


def vectors(column: pa.ChunkedArray) -> list[tuple[float, ...] | None]:
    """Lists of finite numbers; None for anything else."""
    return [
        tuple(map(float, value)) if value and all(each is not None and np.isfinite(each) for each in value) else None
        for value in _flat(column).to_pylist()
    ]


def _flat(column: pa.ChunkedArray) -> pa.Array:
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return flat.dictionary_decode() if pa.types.is_dictionary(flat.type) else flat


def _string(flat: pa.Array) -> pa.Array:
    try:
        return flat.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(flat), pa.string())


def _per_word(text: pa.Array, function: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """A function applied once to each different text."""
    words = text.dictionary_encode()
    found = pa.array([None if word is None else function(word) for word in words.dictionary.to_pylist()], kind)
    return found.take(words.indices)
