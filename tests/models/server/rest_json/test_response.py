"""Numbers and layout of answers, without a server."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.server.errors import ServingError
from models.server.rest_json.error_text import describe, double_text
from models.server.rest_json.predict import Format
from models.server.rest_json.response import float_texts, predict_body

pytestmark = pytest.mark.keras


@given(st.lists(st.floats(width=32), max_size=30))
def test_a_float_reads_back_as_itself(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    texts = float_texts(array)
    back = np.array([json.loads(text) for text in texts], dtype=np.float32)
    assert np.array_equal(back, array, equal_nan=True)
    assert np.array_equal(np.signbit(back[~np.isnan(array)]), np.signbit(array[~np.isnan(array)]))


@given(st.lists(st.floats(), max_size=30))
def test_a_double_reads_back_as_itself(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    assert np.array_equal(np.array([json.loads(text) for text in float_texts(array)]), array, equal_nan=True)


def test_how_floats_are_written() -> None:
    values = np.array([1, 0.2, 1e-7, 3e9, 16777216, 1435774380, 1 / 3, -0.0], dtype=np.float32)
    assert float_texts(values) == [
        "1.0",
        "0.2",
        "1e-07",
        "3e+09",
        "16777216.0",
        "1.43577434e+09",
        "0.333333343",
        "-0.0",
    ]
    assert float_texts(np.array([0.1, 1 / 3])) == ["0.1", "0.33333333333333331"]


def test_many_floats_are_written_like_few() -> None:
    many = np.arange(25_000, dtype=np.float32)
    assert float_texts(many) == [f"{value}.0" if value < 1e6 else "" for value in range(25_000)]


def test_columnar_layout() -> None:
    body = predict_body({"y": np.array([[1], [2]], dtype=np.int64)}, Format.COLUMNAR).decode()
    assert body == (
        '{\n    "outputs": [\n        [\n            1\n        ],\n        [\n            2\n        ]\n    ]\n}'
    )


def test_bytes_stand_in_an_object() -> None:
    outputs = {"a_bytes": np.array([b"x"], dtype=object)}
    rows = predict_body(outputs, Format.ROW).decode()
    assert rows == '{\n    "predictions": [{\n            "b64": "eA=="\n        }\n    ]\n}'
    assert json.loads(predict_body(outputs, Format.COLUMNAR)) == {"outputs": [{"b64": "eA=="}]}


def test_outputs_that_have_no_rows() -> None:
    with pytest.raises(ServingError, match="inconsistent batch size: 2 expecting: 1"):
        predict_body({"a": np.zeros(1), "b": np.zeros(2)}, Format.ROW)
    with pytest.raises(ServingError, match="Failed to write JSON value for tensor type: half"):
        predict_body({"a": np.zeros(1, dtype=np.float16)}, Format.ROW)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        (2.0, "2.0"),
        (-0.0, "-0.0"),
        (1e21, "1e21"),
        (123e18, "123000000000000000000.0"),
        (0.00001, "0.00001"),
        (1.5e-7, "1.5e-7"),
        (1e300, "1e300"),
    ],
)
def test_doubles_inside_messages(value: float, text: str) -> None:
    assert double_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_inside_a_message_is_that_double(value: float) -> None:
    text = double_text(value)
    assert text is not None
    assert float(text) == value


def test_values_inside_messages() -> None:
    assert describe({"a": [1, {"b": None}], "c": "\x01é"}) == (
        '{\n    "a": [1, {\n            "b": null\n        }],\n    "c": "\\u0001é"\n}'
    )
    assert describe([]) == "[]"
    assert describe({}) == "{}"
    assert describe([1.5, float("nan"), 2]) == "[1.5, "
    assert len(describe(list(range(1000)))) < 270
    assert len(describe("x" * 100_000)) < 5000
