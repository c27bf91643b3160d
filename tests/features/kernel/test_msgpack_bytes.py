"""Numbers as msgspec writes them, read again; what is cut or no number is refused."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.kernel.msgpack_bytes import (
    BROKEN,
    get_array_header,
    get_int,
    put_array_header,
    put_bool,
    put_int,
    put_map_header,
    put_text,
)

EDGES = [sign * (1 << bits) + by for bits in (0, 5, 7, 8, 15, 16, 31, 32, 62) for sign in (1, -1) for by in (-1, 0, 1)]
encode = msgspec.msgpack.encode


@given(st.integers(-(2**63), 2**63 - 1) | st.sampled_from(EDGES))
def test_numbers(value: int) -> None:
    data = np.zeros(9, np.uint8)
    end = put_int(data, 0, value)
    assert data[:end].tobytes() == encode(value)
    assert get_int(data, 0, end) == (value, end)
    assert get_int(data, 0, end - 1)[1] == BROKEN


@pytest.mark.parametrize("length", [0, 15, 16, 31, 32, 255, 256, 65_535])
def test_headers_and_texts(length: int) -> None:
    data, texts = np.zeros(length + 3, np.uint8), np.full(length, ord("x"), np.uint8)
    end = put_text(data, 0, texts, 0, length)
    assert data[:end].tobytes() == encode("x" * length)
    end = put_array_header(data, 0, length)
    assert data[:end].tobytes() == encode([0] * length)[:end]
    assert get_array_header(data, 0, end) == (length, end)
    assert get_array_header(data, 0, end - 1)[1] == BROKEN
    end = put_map_header(data, 0, length)
    assert data[:end].tobytes() == encode(dict.fromkeys(range(length)))[:end]


def test_bools_are_numbers() -> None:
    data = np.zeros(2, np.uint8)
    assert put_bool(data, put_bool(data, 0, 1), 0) == 2
    assert data.tobytes() == encode(True) + encode(False)
    assert (get_int(data, 0, 2), get_int(data, 1, 2)) == ((1, 1), (0, 2))


@pytest.mark.parametrize("data", [b"\xc0", b"\xa1x", b"\x90", b"\xcb" + bytes(8), b"\xcf" + b"\xff" * 8, b""])
def test_what_is_no_number_is_refused(data: bytes) -> None:
    assert get_int(np.frombuffer(data, np.uint8), 0, len(data))[1] == BROKEN
