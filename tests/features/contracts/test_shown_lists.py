"""What lists were made of, in columns: golden bytes, what comes back, and what is refused."""

import contextlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.served import MAX_CANDIDATES, MAX_SLATE, Served, ServedCandidates, ServedFeatures, ServedItem
from features.contracts.shown_lists import (
    SHOWN_LIMIT,
    Column,
    Shown,
    float_column,
    read_shown,
    whole_column,
    write_shown,
)
from features.errors import BadEvent, BadInput

LIST = Shown(
    request_id="r1",
    user_id="Ada",
    ts=1000,
    at=900,
    model="fusion",
    model_version=3,
    channels=("similar", "genre"),
    candidates=(whole_column([7, 190, -12]), whole_column([1, 2, 3]), float_column([0.25, 0.1, 0.125])),
    slate=whole_column([1, 2]),
    propensity=float_column([1.0, 0.5]),
    team=("fusion", ""),
    degraded=("no live features",),
    arms={"order": "new"},
    context={"device": "phone"},
    layout="8d21",
    user=float_column([0.5, 1.0]),
    items=float_column(np.array([[1, 2, 3], [4, 5, 6]], np.float32)),
    signals=float_column(np.array([[0.0], [-0.5]], np.float32)),
    history=(whole_column([-1, 9]), whole_column([0, 10]), whole_column([0, 0, 3])),
)
WHOLE = Served(
    request_id="r1",
    user_id="Ada",
    ts=1000,
    at=900,
    model="fusion",
    model_version=3,
    items=(ServedItem(190, 0, 0.1, ("genre",), 1.0, "fusion"), ServedItem(-12, 1, 0.125, ("similar", "genre"), 0.5)),
    candidates=ServedCandidates(("similar", "genre"), [7, 190, -12], [1, 2, 3], [0.25, 0.1, 0.125]),
    features=ServedFeatures(
        "8d21", [0.5, 1.0], [[1, 2, 3], [4, 5, 6]], None, ([-1, 9], [0, 10], [0, 0, 3]), [[0.0], [-0.5]]
    ),
    degraded=("no live features",),
    arms={"order": "new"},
    context={"device": "phone"},
)
GOLDEN = bytes.fromhex(
    "de0013aa726571756573745f6964a27231a7757365725f6964a3416461a27473cd03e8a26174cd0384a86368616e6e656c7392a773696d696c6172a5"
    "67656e7265aa63616e646964617465739392a33c6934c40c07000000be000000f4ffffff92a33c7531c40301020392a33c6634c40c0000803ecdcccc"
    "3d0000003ea5736c61746592a33c7531c4020102a56d6f64656ca6667573696f6ead6d6f64656c5f76657273696f6e03aa70726f70656e7369747992"
    "a33c6634c4080000803f0000003fa47465616d92a6667573696f6ea0a8646567726164656491b06e6f206c697665206665617475726573a461726d73"
    "81a56f72646572a36e6577a7636f6e7465787481a6646576696365a570686f6e65a66c61796f7574a438643231a47573657292a33c6634c408000000"
    "3f0000803fa56974656d7392a33c6634c4180000803f0000004000004040000080400000a0400000c040a77369676e616c7392a33c6634c408000000"
    "00000000bfa7686973746f72799392a33c6934c408ffffffff0900000092a33c7531c402000a92a33c7531c403000003"
)


def test_golden_bytes() -> None:
    assert write_shown(LIST).hex() == GOLDEN.hex()
    assert read_shown(GOLDEN) == WHOLE


def test_a_list_without_a_model_and_one_of_nothing() -> None:
    bare = Shown(
        request_id="r",
        user_id=7,
        ts=1,
        at=1,
        channels=(),
        candidates=(whole_column([]), whole_column([]), float_column([])),
        slate=whole_column([]),
    )
    read = read_shown(write_shown(bare))
    assert (read.user_id, read.items, read.candidates.item_id, read.features, read.model) == (7, (), [], None, None)
    features = msgspec.structs.replace(bare, layout="x", user=float_column([1.0]), items=float_column([]))
    assert read_shown(write_shown(features)).features == ServedFeatures("x", [1.0], [])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_whole_numbers_come_back_in_the_fewest_bytes(values: list[int]) -> None:
    column = whole_column(values)
    array = np.frombuffer(column.data, column.kind)
    assert array.tolist() == values
    if values:
        smaller = [kind for kind in ("<u1", "<u2", "<i4") if np.dtype(kind).itemsize < array.itemsize]
        assert all(min(values) < np.iinfo(kind).min or max(values) > np.iinfo(kind).max for kind in smaller)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slate": whole_column([0, 3])}, "slate"),
        ({"slate": whole_column([0, -1])}, "slate"),
        ({"slate": whole_column([1, 1])}, "items"),
        ({"slate": float_column([1.0])}, "slate"),
        ({"propensity": float_column([1.0])}, "propensity"),
        ({"propensity": Column("<f8", bytes(16))}, "propensity"),
        ({"team": ("fusion",)}, "team"),
        ({"candidates": (whole_column([7, 190]), whole_column([1, 2, 3]), float_column([1, 2, 3]))}, "slate"),
        (
            {"candidates": (whole_column([7, 190, 3]), whole_column([1, 2, 3, 4]), float_column([1, 2, 3]))},
            "candidates.channel",
        ),
        (
            {"candidates": (whole_column([7, 190, 3]), whole_column([1, 2, 4]), float_column([1, 2, 3]))},
            "candidates.channel",
        ),
        ({"candidates": (Column("<u1", b""), Column("|O", b"x"), float_column([]))}, "candidates[1]"),
        ({"items": float_column([1.0, 2.0, 3.0])}, "items"),
        ({"items": Column("<f4", b"123")}, "items"),
        ({"items": float_column([1.0, 2.0, 3.0, float("nan")])}, "items"),
        ({"user": float_column([float("inf")])}, "user"),
        ({"propensity": float_column([1.0, 7.0])}, "propensity"),
        ({"propensity": float_column([-0.5, 1.0])}, "propensity"),
        ({"signals": whole_column([1, 2])}, "signals"),
        ({"request_id": ""}, "shown"),
        ({"ts": -1}, "shown"),
    ],
)
def test_what_fits_together_in_no_list_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        read_shown(write_shown(msgspec.structs.replace(LIST, **change)))
    assert refused.value.where == field


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"{}", GOLDEN[:-1], GOLDEN + b"\x00", b"\x80", b"\x81\xc4\x01x\x00"])
def test_garbage_is_a_bad_event_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(BadEvent, match="shown: expected a list in msgpack"):
        read_shown(garbage)


@given(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_a_flipped_byte_is_a_list_or_a_bad_event(at: int, put: bytes, gone: int) -> None:
    with contextlib.suppress(BadEvent):
        read_shown(GOLDEN[:at] + put + GOLDEN[at + gone :])


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(BadEvent, match="shown: expected a list in msgpack"):
        read_shown(b"\xde\x00\x01\xa3new" + b"\x91" * 100_000 + b"\xc0")


def test_a_value_and_its_lists_have_limits() -> None:
    with pytest.raises(BadInput, match=f"shown: expected at most {SHOWN_LIMIT} bytes, got "):
        write_shown(msgspec.structs.replace(LIST, user=float_column([0.1] * SHOWN_LIMIT)))
    with pytest.raises(BadEvent, match="at most"):
        read_shown(GOLDEN + b" " * SHOWN_LIMIT)
    ids = list(range(MAX_CANDIDATES + 1))
    many = (whole_column(ids), whole_column([0] * len(ids)), float_column([0.0] * len(ids)))
    bare = msgspec.structs.replace(LIST, propensity=msgspec.UNSET, team=msgspec.UNSET, layout=msgspec.UNSET)
    with pytest.raises(BadEvent, match=f"at most {MAX_CANDIDATES} candidates and {MAX_SLATE} items"):
        read_shown(write_shown(msgspec.structs.replace(bare, candidates=many)))
    shown = tuple(_part(column, MAX_CANDIDATES) for column in many)
    with pytest.raises(BadEvent, match=f"at most {MAX_CANDIDATES} candidates and {MAX_SLATE} items"):
        read_shown(
            write_shown(msgspec.structs.replace(bare, candidates=shown, slate=whole_column(ids[: MAX_SLATE + 1])))
        )
    full = msgspec.structs.replace(bare, candidates=shown, slate=whole_column(ids[:MAX_SLATE]))
    assert len(read_shown(write_shown(full)).items) == MAX_SLATE
    assert len(write_shown(full)) < 5_000


def _part(column: Column, size: int) -> Column:
    return Column(column.kind, column.data[: size * np.dtype(column.kind).itemsize])
