"""Batches of records as the source packs them."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.batch_codec import (
    KEY_LIMIT,
    VALUE_LIMIT,
    Record,
    cut_value,
    pack_batch,
    partition_of_batch,
    unpack_batch,
)

RECORDS = st.lists(
    st.builds(
        Record,
        topic=st.integers(0, 1),
        partition=st.just(7),
        offset=st.integers(0, 2**63 - 1),
        broker_ts=st.integers(0, 2**45),
        key=st.none() | st.binary(max_size=12).map(lambda key: key.decode("latin-1")),
        value=st.binary(max_size=40),
    ),
    min_size=1,
    max_size=5,
)


@given(RECORDS)
def test_any_bytes_come_through_whatever_they_hold(records: list[Record]) -> None:
    assert list(unpack_batch(pack_batch(records))) == records


def test_a_missing_key_is_not_an_empty_one() -> None:
    batch = pack_batch([Record(0, 1, 2, 3, None, b"x"), Record(0, 1, 3, 3, "", b"x")])
    assert [record.key for record in unpack_batch(batch)] == [None, ""]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_batch_that_was_cut_is_refused(cut: int) -> None:
    whole = pack_batch([Record(0, 1, 2, 3, "7", b"12345")])
    with pytest.raises(ValueError, match="expected a"):
        list(unpack_batch(whole[:-cut]))


def test_what_is_no_batch_is_refused_and_shown() -> None:
    good = pack_batch([Record(0, 1, 2, 3, "7", b"x")])
    with pytest.raises(ValueError, match="expected a packed record at byte 31 of 39, got b'nonsense'"):
        list(unpack_batch(good + b"nonsense"))


def test_of_a_longer_value_its_beginning_its_length_and_its_digest_come_through() -> None:
    longest, longer = b"a" * VALUE_LIMIT, b"a" * VALUE_LIMIT + b"b"
    found = list(
        unpack_batch(pack_batch([Record(0, 1, 2, 3, "k" * (KEY_LIMIT + 1), each) for each in (longest, longer)]))
    )
    assert [record.key for record in found] == 2 * ["k" * KEY_LIMIT]
    assert (found[0].value, cut_value(found[0].value)) == (longest, None)
    assert cut_value(found[1].value) == (longest, len(longer), sha256(longer).digest())


def test_a_batch_tells_its_partition() -> None:
    assert partition_of_batch(pack_batch([Record(0, 300, 2, 3, None, b"")])) == 300
