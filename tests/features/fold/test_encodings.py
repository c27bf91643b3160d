"""Stored bytes: golden, so that yesterday's are read tomorrow; old reads new, new reads old."""

from hashlib import blake2b
from typing import Any

import msgspec
import pytest

from features.base.mapped_table import MappedTable, table_parts
from features.errors import Broken
from features.fold.co_visits import Pairs, decode_neighbours, encode_neighbours, slots_of
from features.fold.item import fold_item
from features.fold.state import (
    ItemFeatures,
    StoredUser,
    UserFeatures,
    decode_item,
    decode_stored_user,
    decode_user,
    encode_features,
    encode_stored_user,
)
from features.fold.user import UserState, fold_user, freeze_user, thaw_user, undone_item
from features.keys import (
    CLOCK_KEY,
    DEFAULT_PARTITIONS,
    is_of_item,
    item_key,
    item_of,
    item_of_pairs,
    murmur2,
    pairs_key,
    partition_of,
    seen_key,
    user_key,
)
from features.types import CLICK, DISLIKE, FORGET_USER, IMPRESSION, LIKE, NO_ID, PROFILE, RATING, UNDO, VIEW, Event
from tests.schemas import MOVIES, added, film

# What version 1 of the fold stored of the events below.
USER_1 = (
    "9e07ce05f5e100ce05f5e4e89800000001010000000000cd01c2ce00031704020083a54472616d619ace05f5e4e8000000ce"
    "00020000ce00020000ce00020000000000a531393930739ace05f5e100000000ce00010000ce00010000ce00010000000000"
    "a6436f6d6564799ace05f5e4e8000000ce00010000ce00010000ce00010000000000929203ce05f5e1009204ce05f5e4e892"
    "9403ce05f5e10003cd01c29404ce05f5e4e8040094ce05f5e100ce05f5e4e80200"
)
ITEM_1 = "9a030205ce05f5e100980000000101000000cd01c2ce00031704020092950000000101950100000101"

GOLDEN_USER = (
    "dc001107ce05f5e100ce05f5e4e89800000001010000000000cd01c2ce00031704020083a54472616d619ace05f5e4e80000"
    "00ce00036d8ece00023a90ce00021df4000000a531393930739ace05f5e100000000ce0001b6c7ce00011d48ce00010efa00"
    "0000a6436f6d6564799ace05f5e4e8000000ce0001b6c7ce00011d48ce00010efa000000929203ce05f5e1009204ce05f5e4"
    "e8929403ce05f5e10003cd01c29404ce05f5e4e8040094ce05f5e100ce05f5e4e802000093ce00036d8ece00023a90ce0002"
    "1df4931b0100"
)
PROFILE_7 = '{"plan":"paid"}'
GOLDEN_PROFILED = "dc0012" + GOLDEN_USER[6:] + "af" + PROFILE_7.encode().hex()
GOLDEN_ITEM = ITEM_1
GOLDEN_STORED = (
    "95c4cedc001107ce05f5e100ce05f5e4e89800000001010000000000cd01c2ce00031704020083a54472616d619ace05f5e4"
    "e8000000ce00036d8ece00023a90ce00021df4000000a531393930739ace05f5e100000000ce0001b6c7ce00011d48ce0001"
    "0efa000000a6436f6d6564799ace05f5e4e8000000ce0001b6c7ce00011d48ce00010efa000000929203ce05f5e1009204ce"
    "05f5e4e8929403ce05f5e10003cd01c29404ce05f5e4e8040094ce05f5e100ce05f5e4e802000093ce00036d8ece00023a90"
    "ce00021df4931b0100ff04c43398cf40f89e395b66422fce05f5e1000303cd01c2c2019098d38472c2e34d854f75ce05f5e4"
    "e8040400c20191039203019204029292fbce05f5e10092cf7fffffffffffffffce05f5e101"
)
GOLDEN_PAIRS = (
    "9303c4340000000000000005ffffffffffffffff7fffffffffffffff00010000000005f5e1007ffffffffffffff900000000"
    "000000040001c4020001"
)
GOLDEN_NEIGHBOURS = "940303ce05f5e1009192cf7fffffffffffffffcdf1d9"


def golden_user() -> UserState:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", RATING, 7, 3, 450, "", 100_000_000), film(3, "x", ("Drama",), 1994), 1, MOVIES)
    fold_user(state, Event("b", LIKE, 7, 4, 0, "", 100_001_000), film(4, "y", ("Comedy", "Drama"), 0), 2, MOVIES)
    return state


def golden_item() -> ItemFeatures:
    features = ItemFeatures(3)
    for contribution in (added(3, 100_000_000, RATING, 450, 1), added(3, 5, LIKE, 0, 1)):
        features = fold_item(features, contribution, MOVIES)
    return features


def golden_stored() -> StoredUser:
    stored = decode_stored_user(freeze_user(golden_user()))
    stored.lists = [(-5, 100_000_000), (2**63 - 1, 100_000_001)]
    return stored


def golden_pairs() -> Pairs:
    pairs = Pairs(3)
    pairs.fold(100_000_000, -7, 4, 1)
    pairs.fold(5, 2**63 - 1, 2**63 - 1, 1)
    pairs.fold(100_000_000, -7, 4, -1)
    return pairs


def test_golden_bytes() -> None:
    assert encode_features(golden_user().features).hex() == GOLDEN_USER
    profiled = golden_user()
    fold_user(profiled, Event("p", PROFILE, 7, NO_ID, 0, PROFILE_7, 100_002_000), None, 3, MOVIES)
    assert encode_features(profiled.features).hex() == GOLDEN_PROFILED
    assert encode_features(golden_item()).hex() == GOLDEN_ITEM
    assert encode_stored_user(golden_stored()).hex() == GOLDEN_STORED
    assert golden_pairs().encode().hex() == GOLDEN_PAIRS
    assert encode_neighbours(golden_pairs().neighbours()).hex() == GOLDEN_NEIGHBOURS


LONG_LOG = {
    "users": "5542c05d4df028abda6243b6",
    "items": "7680d84fe64001231fa8dbc5",
    "neighbours": "c8e83f5482197d0c47364f4d",
    "stored users": "f90f0ed9f6fea339edd480d2",
    "stored pairs": "f5ae840ea5b776918eb7b598",
}
"""What `digests_of` gives for `long_log`."""
VERSION_3 = {
    "users": "80221783705b1fc74461801a",
    "items": "62cf986fd44964006b26629f",
    "neighbours": "7c80401683b75b4d2322f965",
}
"""What version 3 of the fold gave for it without forgetting, of an item the fields that version 4 has, too."""


def long_log() -> list[Event]:
    """3,000 events of two users and all kinds, drawn without a library's generator; silences of half an hour to the ms, a ms
    less and a ms more among them, late events, repeated ids, undos of what was and what never was."""
    number, ts, log = 7, 100_000_000_000, []
    kinds = (IMPRESSION, CLICK, VIEW, RATING, LIKE, DISLIKE, UNDO, RATING)
    steps = (0, 1_000, 60_000, 1_799_999, 1_800_000, 1_800_001, 300_000, 40_000_000)
    for at in range(3_000):
        number = (number * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        bits = number >> 24
        kind, user = kinds[bits & 7], 1 + (bits >> 3 & 1)
        ts += steps[bits >> 4 & 7]
        name = f"e{at - 1 - (bits >> 7 & 31)}" if at % 37 == 36 else f"e{at}"
        late = 3_600_000 * (bits >> 12 & 63) if at % 11 == 10 else 0
        item = -1 if kind == UNDO else bits >> 18 & 31
        centi = 50 * (1 + (bits >> 23) % 10) if kind == RATING else 0
        target = f"e{at - 1 - (bits >> 27 & 15)}" if kind == UNDO else ""
        log.append(Event(name, kind, user, item, centi, target, ts - late))
        if at == 2_000:
            log.append(Event("forget", FORGET_USER, 2, -1, 0, "", ts))
    return log


def digest(*parts: bytes) -> str:
    return blake2b(b"".join(parts), digest_size=12).hexdigest()


def digests_of(log: list[Event]) -> dict[str, str]:
    """What Redis held after each event of a log, and what is stored at its end."""
    genres = ("Comedy", "Crime", "Drama", "War")
    catalogue = {at: film(at, f"t{at}", genres[at % 4 : at % 4 + 2], 1950 + at if at % 5 else 0) for at in range(30)}
    users = {user_id: UserState(UserFeatures(user_id)) for user_id in (1, 2)}
    features: dict[int, list[bytes]] = {1: [], 2: []}
    items, pairs = {at: ItemFeatures(at) for at in range(32)}, {at: Pairs(at) for at in range(32)}
    for n, event in enumerate(log, start=1):
        state = users[event.user_id]
        known = undone_item(state, event) if event.kind == UNDO else event.item_id
        added = fold_user(state, event, None if known is None else catalogue.get(known), n, MOVIES).contribution
        features[event.user_id].append(encode_features(state.features))
        if added is not None:
            items[added.item_id] = fold_item(items[added.item_id], added, MOVIES)
            for item_id, ts, key, other, weight in slots_of(added):
                pairs[item_id].fold(ts, key, other, weight)
    return {
        "users": digest(*features[1], *features[2]),
        "items": digest(*(encode_features(each) for each in items.values())),
        "neighbours": digest(*(encode_neighbours(each.neighbours()) for each in pairs.values())),
        "stored users": digest(*map(freeze_user, users.values())),
        "stored pairs": digest(*(each.encode() for each in pairs.values())),
    }


def test_golden_bytes_of_a_long_log() -> None:
    assert digests_of(long_log()) == LONG_LOG


def test_a_schema_that_says_what_version_3_had_built_in_gives_its_bytes() -> None:
    """All but what forgetting gives, and the hours of an item, which version 3 had besides."""
    found = digests_of([event for event in long_log() if event.kind != FORGET_USER])
    assert {name: found[name] for name in VERSION_3} == VERSION_3


def test_golden_bytes_are_read_again() -> None:
    assert decode_user(bytes.fromhex(GOLDEN_USER)) == golden_user().features
    assert decode_item(bytes.fromhex(GOLDEN_ITEM)) == golden_item()
    assert decode_stored_user(bytes.fromhex(GOLDEN_STORED)) == golden_stored()
    assert Pairs.decode(3, bytes.fromhex(GOLDEN_PAIRS)).encode() == golden_pairs().encode()
    assert decode_neighbours(bytes.fromhex(GOLDEN_NEIGHBOURS)) == golden_pairs().neighbours()


class User1(msgspec.Struct, array_like=True):
    """UserFeatures as version 1 had them."""

    user_id: int
    first_ts: int
    last_ts: int
    counts: list[int]
    duplicates: int
    late: int
    rating_sum: int
    rating_sq: int
    positives: int
    negatives: int
    tastes: dict[str, list[int]]
    sequence: list[tuple[int, int]]
    recent: list[tuple[int, int, int, int]]
    session: list[int]


class Item1(msgspec.Struct, array_like=True):
    """ItemFeatures as version 1 had them."""

    item_id: int
    n: int
    first_ts: int
    last_ts: int
    counts: list[int]
    rating_sum: int
    rating_sq: int
    positives: int
    negatives: int
    days: list[tuple[int, int, int, int, int]]


def test_new_reads_old() -> None:
    """What was there is read, what was not takes its default. (The fold goes on from states of its own version alone.)"""
    user, now = decode_user(bytes.fromhex(USER_1)), golden_user().features
    assert user.tastes["Drama"] == [100_001_000, 0, 0, 0, 131_072, 131_072, 131_072, 0, 0, 0]
    assert (user.gap, user.activity, user.epochs) == (0, [0, 0, 0], [0, 0, 0])
    for name in User1.__struct_fields__:
        if name != "tastes":
            assert getattr(user, name) == getattr(now, name), name
    item, same = decode_item(bytes.fromhex(ITEM_1)), golden_item()
    for name in Item1.__struct_fields__:
        assert getattr(item, name) == getattr(same, name), name


def test_old_reads_new() -> None:
    user = msgspec.msgpack.decode(bytes.fromhex(GOLDEN_USER), type=User1)
    item = msgspec.msgpack.decode(bytes.fromhex(GOLDEN_ITEM), type=Item1)
    now, same = golden_user().features, golden_item()
    assert all(getattr(user, name) == getattr(now, name) for name in User1.__struct_fields__)
    assert [list(day) for day in item.days] == same.days
    assert all(getattr(item, name) == getattr(same, name) for name in Item1.__struct_fields__ if name != "days")


@pytest.mark.parametrize(
    ("decode", "golden"),
    [
        (decode_user, GOLDEN_PROFILED),
        (decode_item, GOLDEN_ITEM),
        (decode_stored_user, GOLDEN_STORED),
        (decode_neighbours, GOLDEN_NEIGHBOURS),
    ],
)
def test_a_field_of_tomorrow_is_skipped_and_one_not_there_yet_has_its_default(decode: Any, golden: str) -> None:
    data = bytes.fromhex(golden)
    fields = msgspec.msgpack.decode(data)
    assert decode(msgspec.msgpack.encode([*fields, "a field of tomorrow"])) == decode(data)
    older = msgspec.msgpack.encode(fields[:-1])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decode(older)))[:-1] == fields[:-1]


def test_a_user_without_attributes_is_stored_without_them() -> None:
    user = decode_user(bytes.fromhex(GOLDEN_USER))
    assert user.attributes == ""
    assert decode_user(bytes.fromhex(GOLDEN_PROFILED)) == msgspec.structs.replace(user, attributes=PROFILE_7)


def test_a_frozen_user_thaws_to_the_same() -> None:
    state = golden_user()
    assert freeze_user(thaw_user(freeze_user(state))) == freeze_user(state)


def test_a_table_gives_back_its_rows_and_nothing_else() -> None:
    rows = [(-5, b"minus"), (0, b""), (7, b"seven"), (2**63 - 1, b"last")]
    table = MappedTable(memoryview(b"".join(table_parts(rows))))
    assert list(table.items()) == rows
    assert list(table.ids) == [key for key, _ in rows]
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
    assert (item_key(6), pairs_key(6)) == ("i:6", "p:6")
    assert [is_of_item(key) for key in (item_key(6), pairs_key(6), user_key(6), CLOCK_KEY)] == [
        True,
        True,
        False,
        False,
    ]
    assert [item_of(key) for key in (item_key(6), pairs_key(6), user_key(6))] == [6, None, None]
    assert [item_of_pairs(key) for key in (item_key(6), pairs_key(6), user_key(6))] == [None, 6, None]
    # Kafka's own test vectors of murmur2 (UtilsTest.testMurmur2), as unsigned numbers.
    vectors = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) for key in vectors} == {key: value & 0xFFFFFFFF for key, value in vectors.items()}
    assert {partition_of(user, DEFAULT_PARTITIONS) for user in range(200)} == set(range(8))
