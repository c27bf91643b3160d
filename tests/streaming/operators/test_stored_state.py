"""What the job keeps in Flink's state: yesterday's bytes can be read."""

import msgspec

from features.kernel.contribution_rows import rows_of
from features.types import RATING, Contribution
from streaming.operators.stored_state import (
    StoredLane,
    StoredLive,
    StoredState,
    decode_keys,
    decode_lane,
    decode_live,
    decode_state,
    encode,
    pack_ids,
    unpack_ids,
)
from tests.features.kernel.both_folds import contributions_of

# As version 1 wrote them. Never change these: savepoints hold such bytes.
LIVE = bytes.fromhex("99c40401020304ff2acd03e8000164 02c40301 0203".replace(" ", ""))
LANE = bytes.fromhex("9f0102030405060708090a0bcd03e8cd07d00c91a57b753a377d")
STATE = bytes.fromhex("92c40201022a")
# As lanes are written since they hold what has not gone to items.
PENDING_LANE = bytes.fromhex("dc00100102030405060708090a0bcd03e8cd07d00c91a57b753a377d919803cd03e803cd01c20101fb9104")
# As they are since they know the catalogue's version, and items by names.
NAMED_LANE = bytes.fromhex(
    "dc00120102030405060708090a0bcd03e8cd07d00c91a57b753a377d919903cd03e803cd01c20101fb9104a5534b552d310207"
)
# As they are since they count lists closed early, and actions without a list.
COUNTED_LANE = bytes.fromhex(
    "dc00140102030405060708090a0bcd03e8cd07d00c91a57b753a377d919903cd03e803cd01c20101fb9104a5534b552d3102070102"
)
# As they are since lists that have not gone to items are in them as lists.
SHOWN_LANE = bytes.fromhex(
    "dc00150102030405060708090a0bcd03e8cd07d00c91a57b753a377d919903cd03e803cd01c20101fb9104a5534b552d31020701029192cd03e8920304"
)

# As they are since contributions are rows.
ROWS_LANE = bytes.fromhex(
    "dc00160102030405060708090a0bcd03e8cd07d00c91a57b753a377dc4580300000000000000e8030000000000000300000000000000c2"
    "0100000000000001000000000000000100000000000000fbffffffffffffff010000000000000004000000000000000000000000000000"
    "0000000000000000020701029192cd03e89203048103a5534b552d31"
)

# As they are since lost items are counted.
LOST_LANE = bytes.fromhex("dc0018") + ROWS_LANE[3:] + bytes.fromhex("0502")


def test_yesterdays_bytes_are_read() -> None:
    assert decode_live(LIVE) == StoredLive(
        features=b"\x01\x02\x03\x04",
        floor=-1,
        n=42,
        broker_ts=1000,
        first=0,
        next=1,
        total=100,
        open_count=2,
        open=b"\x01\x02\x03",
    )
    assert decode_lane(LANE) == StoredLane(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1000, 2000, 12, ["{u:7}"])
    assert decode_state(STATE) == StoredState(b"\x01\x02", 42)


def test_todays_bytes_are_the_same() -> None:
    assert encode(decode_live(LIVE)) == LIVE
    lane = decode_lane(LANE)
    pending = Contribution(3, 1000, RATING, 450, 1, 1, -5, (4,))
    lane.add_pending(rows_of([pending]), {})
    assert decode_lane(PENDING_LANE) == lane
    lane.names = {3: "SKU-1"}
    lane.marks, lane.catalogue = 2, 7
    assert decode_lane(NAMED_LANE) == lane
    lane.closed_early, lane.unmatched = 1, 2
    assert decode_lane(COUNTED_LANE) == lane
    lane.shown = [(1000, (3, 4))]
    assert decode_lane(SHOWN_LANE) == lane
    assert decode_lane(ROWS_LANE) == lane
    lane.items_lost, lane.items_begin = 5, 2
    assert encode(lane) == LOST_LANE
    assert decode_lane(LOST_LANE) == lane
    rows, names = lane.take_pending()
    assert contributions_of(rows, names) == [pending._replace(item="SKU-1")]
    assert (lane.waiting, lane.names) == (1, {})
    assert encode(decode_state(STATE)) == STATE


def test_a_field_more_harms_no_older_job_and_one_less_no_newer_one() -> None:
    class Tomorrow(StoredLane, array_like=True):
        more: int = 7

    grown = msgspec.msgpack.encode(Tomorrow(n=5))
    assert decode_lane(grown) == StoredLane(n=5)
    assert msgspec.msgpack.Decoder(Tomorrow).decode(LANE).more == 7


def test_a_lane_publishes_a_ledger_that_adds_up() -> None:
    stored = StoredLane()
    for verdict in ("applied", "applied", "late", "rejected", "rerouted", "duplicate"):
        stored.count(verdict)
    stored.count_list("applied")
    lane = stored.published(3, 2)
    assert lane.balanced
    assert (lane.read, lane.applied, lane.served_read, lane.open_lists, lane.generation) == (6, 2, 1, 2, 3)


def test_ids_and_keys_come_back() -> None:
    ids = (0, 5, -(2**63), 2**63 - 1)
    assert unpack_ids(pack_ids(ids)) == ids
    assert decode_keys(encode(["i:1", f"p:{2**63 - 1}"])) == ["i:1", f"p:{2**63 - 1}"]
