"""Stored bytes: golden, so that yesterday's are read tomorrow; old reads new, new reads old."""

import msgspec
import pytest

from features.base import encode_similar
from features.errors import Broken
from features.fold import UserState, fold_item, fold_user, freeze_user, thaw_user
from features.mapped import MappedTable, table_parts
from features.names import murmur2, partition_of, seen_key, user_key
from features.state import ItemFeatures, UserFeatures, decode_item, decode_user, encode_features
from features.words import LIKE, RATING, Contribution, Event, Item

GOLDEN_USER = (
    "9e07ce05f5e100ce05f5e4e89800000001010000000000cd01c2ce00031704020083a54472616d619ace05f5e4e8000000ce"
    "00020000ce00020000ce00020000000000a531393930739ace05f5e100000000ce00010000ce00010000ce00010000000000"
    "a6436f6d6564799ace05f5e4e8000000ce00010000ce00010000ce00010000000000929203ce05f5e1009204ce05f5e4e892"
    "9403ce05f5e10003cd01c29404ce05f5e4e8040094ce05f5e100ce05f5e4e80200"
)
GOLDEN_ITEM = "9a030205ce05f5e100980000000101000000cd01c2ce00031704020092950000000101950100000101"


def golden_user() -> UserState:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", RATING, 7, 3, 450, "", 100_000_000), Item(3, "x", ("Drama",), 1994), 1)
    fold_user(state, Event("b", LIKE, 7, 4, 0, "", 100_001_000), Item(4, "y", ("Comedy", "Drama"), 0), 2)
    return state


def golden_item() -> ItemFeatures:
    features = ItemFeatures(3)
    for contribution in (Contribution(3, 100_000_000, RATING, 450, 1), Contribution(3, 5, LIKE, 0, 1)):
        features = fold_item(features, contribution)
    return features


def test_golden_bytes_of_a_user() -> None:
    assert encode_features(golden_user().features).hex() == GOLDEN_USER


def test_golden_bytes_of_an_item() -> None:
    assert encode_features(golden_item()).hex() == GOLDEN_ITEM


def test_golden_bytes_are_read_again() -> None:
    assert decode_user(bytes.fromhex(GOLDEN_USER)) == golden_user().features
    assert decode_item(bytes.fromhex(GOLDEN_ITEM)) == golden_item()


@pytest.mark.parametrize(("decode", "golden"), [(decode_user, "user"), (decode_item, "item")])
def test_new_reads_old_and_old_reads_new(decode, golden: str) -> None:  # type: ignore[no-untyped-def]
    data = bytes.fromhex(GOLDEN_USER if golden == "user" else GOLDEN_ITEM)
    fields = msgspec.msgpack.decode(data)
    older = msgspec.msgpack.encode(fields[:-1])
    newer = msgspec.msgpack.encode([*fields, "a field of tomorrow"])
    assert decode(newer) == decode(data)
    assert decode(older).first_ts == decode(data).first_ts


def test_a_frozen_user_thaws_to_the_same() -> None:
    state = golden_user()
    assert freeze_user(thaw_user(freeze_user(state))) == freeze_user(state)


def test_a_table_gives_back_its_rows_and_nothing_else() -> None:
    rows = [(-5, b"minus"), (0, b""), (7, b"seven"), (2**63 - 1, encode_similar([(1, 0.5)]))]
    table = MappedTable(memoryview(b"".join(table_parts(rows))))
    assert list(table.items()) == rows
    assert [table.get(key) for key in (-5, 0, 7, 2**63 - 1)] == [value for _, value in rows]
    assert table.get(6) is None
    assert table.get(-(2**63)) is None


def test_a_cut_or_foreign_table_is_refused() -> None:
    whole = b"".join(table_parts([(1, b"one"), (2, b"two")]))
    for broken in (b"", whole[:-1], whole[:30], b"X" + whole[1:], whole + b"x"):
        with pytest.raises(Broken):
            MappedTable(memoryview(broken))
    with pytest.raises(ValueError, match="ascend"):
        list(table_parts([(2, b""), (1, b"")]))


def test_names_are_what_producers_rely_on() -> None:
    assert user_key(6) == "{u:6}"
    assert seen_key(6) == "{u:6}:seen"
    # Kafka's own test vectors of murmur2 (UtilsTest.testMurmur2), as unsigned numbers.
    vectors = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) for key in vectors} == {key: value & 0xFFFFFFFF for key, value in vectors.items()}
    assert {partition_of(user) for user in range(200)} == set(range(8))
