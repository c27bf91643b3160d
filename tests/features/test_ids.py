"""Ids: which are one and the same, which are none, and the numbers that stand for them."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInput
from features.ids import MAX_LENGTH, Ids, OuterId, canonical, number_of_hash
from features.keys import DEFAULT_PARTITIONS, partition_of
from features.types import MAX_ID, NO_ID

SALT = bytes(range(16))
IDS = Ids(SALT)


@given(st.integers(0, MAX_ID))
def test_a_number_and_its_decimal_are_one_id(number: int) -> None:
    assert IDS.inside(number) == IDS.inside(str(number)) == number
    assert partition_of(number, DEFAULT_PARTITIONS) == partition_of(str(number), DEFAULT_PARTITIONS)


TEXTS = ["007", "-1", "+5", "1.0", str(MAX_ID + 1), "SKU-1", "a b", "Ärmel", "商品", "🧦", "👩‍🔬", "a/b", "%2F"]


@pytest.mark.parametrize("text", TEXTS)
def test_any_other_text_is_a_number_below_minus_one(text: str) -> None:
    number = IDS.inside(text)
    assert -(MAX_ID + 1) <= number < NO_ID
    assert canonical(text) == text
    assert number == Ids(SALT).inside(text), "the same in every process"
    assert number != Ids(b"another").inside(text), "another home has another number"


@pytest.mark.parametrize(
    ("outer", "received"),
    [
        (-1, "-1"),
        (MAX_ID + 1, str(MAX_ID + 1)),
        ("", "0 characters"),
        ("x" * (MAX_LENGTH + 1), "129 characters"),
        ("a\nb", "a control character ('\\n') at 1"),
        ("\x00", "a control character ('\\x00') at 0"),
        ("a\u2028", "a line separator ('\\u2028') at 1"),
        ("a\ud800", "half of a surrogate pair ('\\ud800') at 1"),
        ("A\u030a", "'A\u030a', which is not in that form"),
    ],
)
def test_what_is_no_id_is_refused(outer: OuterId, received: str) -> None:
    for read in (canonical, IDS.inside):
        with pytest.raises(BadInput) as refusal:
            read(outer)
        assert refusal.value.received == received
        assert "128" in refusal.value.expected


@given(st.text(min_size=1, max_size=MAX_LENGTH))
def test_every_text_is_an_id_or_refused(text: str) -> None:
    try:
        outer = canonical(text)
    except BadInput:
        return
    assert str(outer) == text
    assert (IDS.inside(text) >= 0) == isinstance(outer, int)


@given(st.binary(min_size=8, max_size=8) | st.just(b"\xff" * 8))
def test_no_id_is_the_number_that_stands_for_none(digest: bytes) -> None:
    assert -(MAX_ID + 1) <= number_of_hash(digest) < NO_ID


def test_answers_give_ids_as_the_schema_says() -> None:
    assert [Ids().shown(each) for each in (7, "SKU-1")] == [7, "SKU-1"]
    assert [Ids(strings=True).shown(each) for each in (7, "SKU-1")] == ["7", "SKU-1"]


def test_another_process_has_the_same_numbers() -> None:
    code = "from features.ids import Ids; print(Ids(bytes(range(16))).inside('SKU-1'))"
    env = {"PYTHONPATH": os.getcwd(), "PYTHONHASHSEED": "1"}
    assert int(subprocess.check_output([sys.executable, "-c", code], env=env)) == IDS.inside("SKU-1")
