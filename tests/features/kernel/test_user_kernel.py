"""Users by the kernel are what they are by the specification: every byte, after every batch, whatever the schema and the log."""

import random
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import Broken
from features.fold.dedupe import DedupeMemory, SeenItems
from features.fold.journal import replay_journal
from features.fold.state import SEQUENCE, StoredUser, UserFeatures, encode_features
from features.fold.user import UserState, fold_user, store_user
from features.kernel.users.event_batch import EventBatch, fold_lone
from features.kernel.users.row_types import LATEST
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.taste_names import TasteNames
from features.kernel.users.user_kernel import UserKernel
from features.schema.tables import preset_schema
from features.types import CLICK, DISLIKE, FORGET_USER, LIKE, NO_ID, PROFILE, UNDO, Event, Item
from features.units import DAY_MS
from tests.features.fold.test_encodings import long_log
from tests.features.kernel.both_folds import ByKernel, BySpecification, hold_equal, uncompiled
from tests.features.schema.test_tables import logs as logs_of
from tests.features.schema.test_tables import schemas
from tests.features.strategies import CATALOGUE, START, USER, logs, undoing
from tests.schemas import MOVIES, SHOP

FEWER = settings(max_examples=max(10, settings().max_examples // 4))
"""Each example folds a log twice and compares it several times."""


@FEWER
@given(logs(max_size=200), st.integers(1, 40), st.sampled_from([0, 7, 1]))
def test_the_same_bytes(log: list[Event], size: int, left_over: int) -> None:
    hold_equal(BySpecification(MOVIES), ByKernel(MOVIES, left_over), log, size)


@FEWER
@given(st.data(), st.integers(1, 40))
def test_the_same_bytes_under_any_schema(data: st.DataObject, size: int) -> None:
    schema = data.draw(schemas())
    hold_equal(BySpecification(schema), ByKernel(schema, 7), data.draw(logs_of(schema)), size)


@FEWER
@given(logs(max_size=120), st.integers(0, 2**32), st.integers(1, 80), st.sampled_from([0, 0, 7]))
def test_the_same_bytes_of_many_undos(log: list[Event], seed: int, size: int, left_over: int) -> None:
    hold_equal(BySpecification(MOVIES), ByKernel(MOVIES, left_over), undoing(log, seed), size)


@FEWER
@given(st.data(), st.integers(0, 2**32), st.integers(1, 80))
def test_the_same_bytes_of_many_undos_under_any_schema(data: st.DataObject, seed: int, size: int) -> None:
    schema = data.draw(schemas())
    hold_equal(BySpecification(schema), ByKernel(schema), undoing(data.draw(logs_of(schema)), seed), size)


@FEWER
@given(logs(max_size=200), st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 12), st.integers(1, 6))
def test_the_same_bytes_where_little_is_remembered(
    log: list[Event], seed: int, size: int, remembered: int, hidden: int
) -> None:
    """What the specification folds anew is not limited so: nothing is forgotten, then."""
    kept = [event for event in log if event.kind != FORGET_USER]
    plain = BySpecification(MOVIES, DedupeMemory(limit=remembered), SeenItems(limit=hidden))
    hold_equal(plain, ByKernel(MOVIES, remembered=remembered, hidden=hidden), undoing(kept, seed), size)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_bytes_of_items_with_any_number_of_tastes(seed: int) -> None:
    """Of those of an item, and of those that the user had, the newest stay; most events are late, and many at one time."""
    rng = random.Random(seed)
    names = [f"{rng.randrange(100)}:{number}" for number in range(rng.choice((30, 40, 90)))]
    catalogue = {
        item_id: Item(item_id, "", tastes=tuple(rng.sample(names, rng.randrange(len(names))))) for item_id in range(12)
    }
    log = [
        Event(f"e{n}", rng.choice((LIKE, CLICK, DISLIKE)), USER, rng.randrange(12), 0, "", START + rng.randrange(9))
        for n in range(80)
    ]
    plain, kernel = BySpecification(MOVIES), ByKernel(MOVIES, left_over=rng.choice((0, 7)))
    plain.catalogue = kernel.catalogue = catalogue
    hold_equal(plain, kernel, undoing(log, seed), 5)


def test_the_same_bytes_of_a_user_who_remembers_all_that_may_be() -> None:
    """4,500 events, each tenth an hour too late."""
    late = [3_600_000 * (number % 10 == 9) for number in range(4500)]
    log = [
        Event(
            f"e{number}", LIKE if number % 3 else CLICK, USER, number % 500, 0, "", START + 1000 * number - late[number]
        )
        for number in range(4500)
    ]
    kernel = ByKernel(MOVIES)
    hold_equal(BySpecification(MOVIES), kernel, log, 1500)
    stored = kernel.kernel.store(kernel.rows)
    assert kernel.rows.arrays.user[0].remembered == 4096
    assert kernel.rows.nbytes < 110 * 4096
    again = kernel.kernel.load(stored)
    assert kernel.kernel.store(again) == stored


def test_the_same_bytes_of_an_undo_whose_item_has_come_to_the_catalogue_since() -> None:
    kernel = UserKernel(rules_of(MOVIES))
    batch: EventBatch[int] = EventBatch(kernel, MOVIES)
    rows, undo, item = kernel.new_user(USER), Event("u", UNDO, USER, NO_ID, 0, "a", START + 1), CATALOGUE[1]
    batch.add(0, rows, event(), None, 1, 0)
    batch.fold()
    state = kernel.thaw(rows)
    assert fold_lone(kernel, rows, undo, CATALOGUE.get, 2).outcome == fold_user(state, undo, item, 2, MOVIES)
    assert kernel.store(rows) == store_user(state)


def test_a_profile_that_comes_again_tells_nothing() -> None:
    kernel = UserKernel(rules_of(MOVIES))
    rows, state = kernel.new_user(USER), UserState(UserFeatures(USER))
    for n, (name, told) in enumerate((("a", '{"plan":"paid"}'), ("b", ""), ("c", '{"plan":"free"}'), ("a", ""))):
        profile = Event(name, PROFILE, USER, NO_ID, 0, told, START + n, user="ann")
        assert fold_lone(kernel, rows, profile, CATALOGUE.get, n).outcome == fold_user(state, profile, None, n, MOVIES)
        assert kernel.store(rows) == store_user(state)


def test_the_same_bytes_at_the_edges_of_a_session() -> None:
    hold_equal(
        BySpecification(MOVIES), ByKernel(MOVIES), [each._replace(user_id=USER) for each in long_log()[:600]], 50
    )


def digest_of_long_log(events: int) -> str:
    """What the kernel makes of the start of `long_log`, taken for one user's."""
    kernel = ByKernel(MOVIES, left_over=7)
    for n, event in enumerate(long_log()[:events], start=1):
        kernel.take(event._replace(user_id=USER), n)
        if n % 10 == 0:
            kernel.flush()
    kernel.flush()
    stored = kernel.kernel.store(kernel.rows)
    return blake2b(b"".join((stored.features, stored.journal, kernel.journal.open)), digest_size=12).hexdigest()


def test_uncompiled_it_gives_the_same_bytes() -> None:
    assert uncompiled("test_user_kernel", "digest_of_long_log(60)") == digest_of_long_log(60)


def event(kind: int = LIKE, ts: int = START, item_id: int = 1, centi: int = 0, user: str = "") -> Event:
    return Event("a", kind, USER, item_id, centi, "", ts, user=user)


def test_what_is_not_plain_is_left_over() -> None:
    batch: EventBatch[int] = EventBatch(UserKernel(rules_of(MOVIES)), MOVIES)
    assert batch.takes(event())
    assert batch.takes(event(ts=LATEST))
    assert not batch.takes(event(ts=LATEST + 1))
    assert not any(batch.takes(event(kind)) for kind in (UNDO, FORGET_USER, PROFILE))


def test_lists_of_tastes_begin_anew_and_names_stay() -> None:
    names = TasteNames()
    assert [names.list_of(tastes) for tastes in (("a", "b"), (), ("c",), ("a", "b"))] == [
        (0, 2),
        (2, 2),
        (2, 3),
        (0, 2),
    ]
    names.shorten_lists(limit=3)
    assert names.list_of(("b", "c")) == (3, 5)
    names.shorten_lists(limit=4)
    start, stop = names.list_of(("c", "d"))
    assert names.lists[start:stop].tolist() == [2, 3]
    assert (start, stop, len(names)) == (0, 2, 4)


def test_a_users_id_outside_is_that_of_the_last_applied_event() -> None:
    kernel = UserKernel(rules_of(SHOP))
    batch: EventBatch[int] = EventBatch(kernel, SHOP)
    rows = kernel.new_user(USER)
    batch.add(0, rows, event(CLICK, user="somebody"), None, 1, 0)
    batch.fold()
    assert rows.features == kernel.store(rows).features
    assert kernel.load(kernel.store(rows)).outer == "somebody"
    batch.add(0, rows, event(CLICK, user="else"), None, 2, 0)  # a duplicate
    batch.fold()
    assert kernel.thaw(rows).features.user_id == "somebody"


def test_an_item_whose_time_an_undo_shortened_stays_where_it_is_in_the_journal() -> None:
    """Else the order by which hidden items go is another one after a restart."""
    schema = preset_schema("video")
    plain = BySpecification(schema)
    acts = (("a", LIKE, 1, 0), ("b", LIKE, 1, 9000), ("c", LIKE, 2, 9000), ("d", CLICK, 3, 9000))
    for n, (name, kind, item_id, later) in enumerate(acts, 1):
        plain.take(Event(name, kind, USER, item_id, 0, "", START + later), n)
    plain.take(Event("u", UNDO, USER, -1, 0, "b", START + 9001), len(acts) + 1)
    seen, month = plain.state.seen, 30 * DAY_MS
    assert list(seen.items()) == [(1, 2, START + month), (2, 3, START + 9000 + month)]
    count, data = plain.journal.open_count, bytes(plain.journal.open)
    assert list(replay_journal([(count, data)], -1)[1].items()) == list(seen.items())
    kernel = UserKernel(rules_of(schema))
    rows = kernel.load(StoredUser(encode_features(plain.state.features), -1, count, data))
    assert kernel.store(rows) == store_user(plain.state)


@pytest.mark.parametrize(
    ("count", "data"),
    [
        (1, b""),
        (1, b"\xc1"),
        (2, b"\x92\x01\x02"),
        (1, b"\x92\x01\x02\x00"),
        (1, b"\x98\x01\x02\x03"),
        (1, b"\x95\1\1\1\1\1"),
    ],
)
def test_a_journal_that_is_none_is_refused(count: int, data: bytes) -> None:
    with pytest.raises(Broken, match=f"journal of {count} records"):
        UserKernel(rules_of(MOVIES)).load(StoredUser(encode_features(UserFeatures(USER)), -1, count, data))


def test_more_than_there_is_room_for_is_refused() -> None:
    features = UserFeatures(USER, sequence=[(item_id, START) for item_id in range(SEQUENCE + 1)])
    with pytest.raises(Broken, match=rf"user {USER}: expected at most {SEQUENCE} in sequence, got {SEQUENCE + 1}"):
        UserKernel(rules_of(MOVIES)).load(StoredUser(encode_features(features), 0, 0, b""))
