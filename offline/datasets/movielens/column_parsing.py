"""Raw columns → numbers within the contract, without a Python loop over rows. What does not fit becomes null."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import AnyArray
from features.types import MAX_ID
from offline.datasets.raw_files import is_text

_WHOLE: Final = r"^[ \t]*[0-9]{1,19}(\.0*)?[ \t]*$"
_DECIMAL: Final = r"^[ \t]*[0-9]{1,9}(\.[0-9]{0,12})?([eE][+-]?[0-9])?[ \t]*$"


def whole_numbers(column: pa.ChunkedArray, max_value: int = MAX_ID) -> pa.ChunkedArray:
    """int64 from 0 to `max_value`; null for whatever is not a whole number in that range. Timestamps count as seconds."""
    kind = column.type
    if is_text(kind):
        column = _whole_text(column)
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("s", kind.tz), safe=False).cast(pa.int64())
    elif pa.types.is_uint64(kind):
        column = _where(pc.less_equal(column, pa.scalar(MAX_ID, pa.uint64())), column).cast(pa.int64())
    elif pa.types.is_floating(kind):
        # Above 2^53 a double no longer distinguishes neighbouring ids.
        column = column.cast(pa.float64())
        exact = pc.and_kleene(pc.equal(pc.floor(column), column), pc.less(column, float(2**53)))
        column = _where(pc.and_kleene(exact, pc.greater_equal(column, 0.0)), column).cast(pa.int64())
    elif pa.types.is_integer(kind):
        column = column.cast(pa.int64())
    else:
        return pa.chunked_array([pa.nulls(len(column), pa.int64())])
    return _where(pc.and_kleene(pc.greater_equal(column, 0), pc.less_equal(column, max_value)), column)


def ratings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """float64 from 0.5 to 5; null for anything else."""
    kind = column.type
    if is_text(kind):
        column = _as_string(column, _DECIMAL).cast(pa.float64())
    elif pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    else:
        return pa.chunked_array([pa.nulls(len(column), pa.float64())])
    return _where(pc.and_kleene(pc.greater_equal(column, 0.5), pc.less_equal(column, 5.0)), column)


def _where(mask: pa.ChunkedArray, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column, null where the mask is not true."""
    return pc.if_else(pc.fill_null(mask, False), column, pa.scalar(None, column.type))


def _as_string(column: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """The values that match `pattern`, as trimmed strings; null for the others."""
    raw = column.cast(pa.large_binary())
    return pc.utf8_trim(_where(pc.match_substring_regex(raw, pattern), raw).cast(pa.large_string()), " \t")


def _whole_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    digits = pc.replace_substring_regex(_as_string(column, _WHOLE), r"\.0*$", "")
    digits = pc.utf8_lpad(digits, 19, "0")
    return _where(pc.less_equal(digits, str(MAX_ID)), digits).cast(pa.int64())


def numbers(column: pa.ChunkedArray) -> AnyArray:
    """A column without nulls as a numpy array."""
    return np.ascontiguousarray(column.to_numpy())
