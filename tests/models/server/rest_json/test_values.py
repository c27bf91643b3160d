"""The quick way from lists to arrays and the careful one give the same array, or the quick one gives none."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2

from features.arrays import AnyArray
from models.server.engine.tensors import dtype_of
from models.server.errors import Code, ServingError
from models.server.rest_json.values import Column, decode_base64, in_bulk

pytestmark = pytest.mark.keras

DTYPES = [
    dtype_of(enum)
    for enum in (
        types_pb2.DT_FLOAT,
        types_pb2.DT_DOUBLE,
        types_pb2.DT_INT8,
        types_pb2.DT_INT32,
        types_pb2.DT_INT64,
        types_pb2.DT_UINT8,
        types_pb2.DT_UINT64,
        types_pb2.DT_BOOL,
        types_pb2.DT_STRING,
    )
]
leaves = (
    st.integers(-(2**63), 2**64 - 1)
    | st.integers(-3, 300)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.just({"b64": "eA=="})
)
of_one_kind = (
    st.lists(st.integers(0, 100)) | st.lists(st.floats()) | st.lists(st.booleans()) | st.lists(st.text(max_size=3))
)
nested = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
rows = st.lists(nested, min_size=1, max_size=4) | of_one_kind.filter(bool)


def by_value(values: list[Any], dtype: Any) -> AnyArray | None:
    column = Column(dtype)
    try:
        for value in values:
            column.add(value)
    except ServingError as error:
        assert error.code is Code.INVALID_ARGUMENT
        return None
    return column.batch()


@given(rows, st.sampled_from(DTYPES))
def test_both_ways_agree(values: list[Any], dtype: Any) -> None:
    quick, careful = in_bulk(values, dtype), by_value(values, dtype)
    if quick is None:
        return
    assert careful is not None
    assert quick.dtype == careful.dtype == dtype.numpy
    assert quick.shape == careful.shape
    if dtype.name == "string":
        assert quick.tolist() == careful.tolist()
    else:
        assert np.array_equal(quick, careful, equal_nan=dtype.name in ("float", "double"))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_the_quick_way_takes_what_it_is_for(dtype: Any) -> None:
    sample: Any = {"bool": True, "string": "a"}.get(dtype.name, 1)
    assert in_bulk([[sample, sample], [sample, sample]], dtype) is not None


def test_whole_numbers_become_floats_by_way_of_doubles() -> None:
    value = 2**60 + 2**36 + 1  # just over a float's halfway point; a double has forgotten the 1
    array = in_bulk([value], DTYPES[0])
    assert array is not None
    assert array[0] == np.float32(np.float64(value))


def test_a_shape_is_set_by_the_first_example() -> None:
    column = Column(DTYPES[0])
    column.add([[1, 2], [3, 4]])
    column.add([[5, 6], [7, 8]])
    assert column.batch().shape == (2, 2, 2)
    with pytest.raises(ServingError, match=r"Expecting shape \[2,2\] but got: \[4\]"):
        column.add([1, 2, 3, 4])
    with pytest.raises(ServingError, match="Encountered list at unexpected size: 1 at level: 1 expected size: 2"):
        column.add([[1, 2], [3]])
    with pytest.raises(ServingError, match="Encountered list at unexpected level: 1 expected < 1"):
        column.add([1, [2]])
    with pytest.raises(ServingError, match="JSON Value: 2 found at incorrect level: 2 in the JSON DOM"):
        column.add([[1], 2])


def test_base64_with_and_without_padding() -> None:
    assert decode_base64({"b64": "eA=="}) == decode_base64({"b64": "eA"}) == b"x"
    assert decode_base64({"b64": ""}) == b""
