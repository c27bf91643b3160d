"""Records as they come through SQL: any key and value come back byte for byte."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.record import Record, key_of, unpack


def pack(record: Record) -> str:
    """What the job's SQL makes of a record."""
    key = None if record.key is None else record.key.decode("latin-1")
    length = -1 if key is None else len(key)
    return f"{record.partition}|{record.offset}|{record.broker_ts}|{length}|{key or ''}{record.value.decode('latin-1')}"


@given(
    st.builds(
        Record, st.integers(0, 7), st.integers(0, 2**60), st.integers(0, 2**45), st.none() | st.binary(), st.binary()
    )
)
def test_every_byte_comes_back(record: Record) -> None:
    assert unpack(pack(record)) == record
    assert key_of(pack(record)) == (record.key or b"").decode("latin-1")
