"""Batches of records as SQL packs them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.batch_codec import RECORD, Record, partition_of_batch, unpack_batch
from streaming.testing.job_run import pack_batch

RECORDS = st.lists(
    st.builds(
        Record,
        topic=st.integers(0, 1),
        partition=st.integers(0, 7),
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
    batch = pack_batch((Record(0, 1, 2, 3, None, b"x"), Record(0, 1, 3, 3, "", b"x")))
    assert [record.key for record in unpack_batch(batch)] == [None, ""]


def test_what_is_no_batch_is_refused_and_shown() -> None:
    good = pack_batch([Record(0, 1, 2, 3, "7", b"x")])
    with pytest.raises(ValueError, match="expected a packed record, got 'nonsense'"):
        list(unpack_batch(good + RECORD + "nonsense"))


def test_a_batch_tells_its_partition() -> None:
    assert [partition_of_batch(pack_batch([Record(topic, 7, 2, 3, None, b"")])) for topic in (0, 1)] == [7, 7]
