"""Batches of records as the source packs them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.batch_codec import Record, pack_batch, partition_of_batch, unpack_batch

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


def test_a_batch_tells_its_partition() -> None:
    assert partition_of_batch(pack_batch([Record(0, 300, 2, 3, None, b"")])) == 300
