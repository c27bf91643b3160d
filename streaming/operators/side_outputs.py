"""What the user operator puts out beside contributions to items: rejected and rerouted records, and samples. Bytes are
ISO 8859-1 characters, as Flink's tables take them."""

from typing import Final

from pyflink.common import Row, Types
from pyflink.datastream import OutputTag

from features.ids import OuterId
from streaming.batch_codec import TOPICS, VALUE_LIMIT, Record, cut_value

_TEXT = Types.STRING()
_COLUMNS = ["k", "v", "topic", "part", "off", "reason"]
REJECTED_TAG = OutputTag("rejected", Types.ROW_NAMED(_COLUMNS, [_TEXT] * len(_COLUMNS)))
REROUTED_TAG = OutputTag("rerouted", Types.ROW_NAMED(["k", "v"], [_TEXT, _TEXT]))
SAMPLES_TAG = OutputTag("samples", Types.ROW_NAMED(["k", "v"], [_TEXT, _TEXT]))

CUT_AT: Final = 64 << 10
"""Bytes of a value that are in its reject where it has more than VALUE_LIMIT."""
REASON_LIMIT: Final = 2_000
"""Characters of a reason, which may tell a key."""
Output = tuple[OutputTag, Row]


def rejected(record: Record, reason: str) -> Output:
    """A record that is none, byte for byte, with where it lay and why. One of more bytes than the topic of rejects may take is
    there by its beginning, its length and its digest."""
    value, cut = record.value, cut_value(record.value)
    if cut is not None:
        value = cut.start[:CUT_AT]
        reason = (
            f"{TOPICS[record.topic]}: expected at most {VALUE_LIMIT} bytes, got {cut.length}: cut after {CUT_AT}, "
            f"SHA-256 of all {cut.digest.hex()}"
        )
    row = Row(
        k=record.key,
        v=value.decode("latin-1"),
        topic=TOPICS[record.topic],
        part=str(record.partition),
        off=str(record.offset),
        reason=reason[:REASON_LIMIT],
    )
    return REJECTED_TAG, row


def rerouted(record: Record, key: str) -> Output:
    """A record that lay in another user's partition, with the key that it should have had."""
    return REROUTED_TAG, Row(k=key.encode().decode("latin-1"), v=record.value.decode("latin-1"))


def sample_of(user: OuterId, value: bytes) -> Output:
    """A record of the topic `samples`, of a user."""
    return SAMPLES_TAG, Row(k=str(user).encode().decode("latin-1"), v=value.decode("latin-1"))
