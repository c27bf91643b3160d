"""Laws of the fold: deterministic, duplicates change nothing, undo takes back, items do not depend on order."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.events import id_hash
from features.fold.co_visits import PARTNERS
from features.fold.decay import decay
from features.fold.state import RECENT, SEQUENCE, TASTES, UserFeatures, decode_user, encode_features
from features.fold.user import Outcome, UserState, fold_user, freeze_user, thaw_user, undone_item
from features.inputs.columns import fades
from features.schema.attributes import MAX_TASTE_BYTES
from features.types import (
    CLICK,
    DISLIKE,
    FORGET_USER,
    IMPRESSION,
    LIKE,
    NO_ID,
    PROFILE,
    RATING,
    UNDO,
    VIEW,
    Contribution,
    Event,
)
from features.units import DAY_MS, HOUR_MS, SESSION_GAP_MS
from features.verdicts import APPLIED, DUPLICATE, LATE
from tests.features.strategies import CATALOGUE, USER, logs
from tests.patience import patience
from tests.schemas import MOVIES, film


def outcome(state: UserState, event: Event, n: int) -> Outcome:
    item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
    return fold_user(state, event, None if item_id is None else CATALOGUE.get(item_id), n, MOVIES)


def apply(state: UserState, event: Event, n: int) -> str:
    return outcome(state, event, n).verdict


def fold(log: list[Event]) -> UserState:
    state = UserState(UserFeatures(USER))
    for n, event in enumerate(log, start=1):
        apply(state, event, n)
    return state


def rating(event_id: str, item_id: int, centi: int, ts: int) -> Event:
    return Event(event_id, RATING, USER, item_id, centi, "", ts)


_FOLD_ELSEWHERE = """
import sys
from tests.features.fold.test_user import one_long_log, fold, freeze_user
sys.stdout.write(freeze_user(fold(one_long_log())).hex())
"""


def one_long_log() -> list[Event]:
    """Everything a log may hold, 600 events."""
    rng = random.Random(5)
    log: list[Event] = []
    for number in range(600):
        kind = rng.choice([CLICK, VIEW, LIKE, RATING, RATING, IMPRESSION, UNDO])
        target = rng.choice(log).event_id if kind == UNDO and log else ""
        item_id = -1 if kind == UNDO else rng.randrange(1, 41)
        centi = rng.choice([100, 300, 450]) if kind == RATING else 0
        log.append(Event(f"e{number}", kind, USER, item_id, centi, target, 1_000_000 + number * 70_000))
    return log


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_the_same_log_gives_the_same_bytes_in_every_process(seed: str) -> None:
    """Whatever the order in which this process' sets and dictionaries hash."""
    told = subprocess.run(
        [sys.executable, "-c", _FOLD_ELSEWHERE],
        capture_output=True,
        text=True,
        timeout=patience(120),
        check=True,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert told.stdout == freeze_user(fold(one_long_log())).hex()


@given(logs())
def test_changes_are_collected_where_asked_for_and_drained_whole(log: list[Event]) -> None:
    plain, noted = UserState(UserFeatures(USER)), UserState(UserFeatures(USER))
    noted.collect_changes()
    seen: dict[int, tuple[int | None, int]] = {}
    for n, event in enumerate(log, start=1):
        apply(plain, event, n)
        apply(noted, event, n)
        seen.update({item_id: (position, until) for item_id, position, until in noted.drain_changes().seen})
        assert noted.drain_changes() == ([], [])
    assert (plain.memory.changes, plain.seen.changes) == (None, None)
    assert {(item_id, *last) for item_id, last in seen.items() if last[0] is not None} == set(plain.seen.items())
    assert freeze_user(noted) == freeze_user(plain)
    with pytest.raises(ValueError, match="collect_changes"):
        plain.drain_changes()


@given(logs(), st.integers(0, 120))
def test_stopping_anywhere_and_going_on_from_the_stored_state_changes_nothing(log: list[Event], stop: int) -> None:
    state = thaw_user(freeze_user(fold(log[:stop])))
    for n, event in enumerate(log[stop:], start=stop + 1):
        apply(state, event, n)
    assert freeze_user(state) == freeze_user(fold(log))


@given(logs(), st.randoms(use_true_random=False))
def test_sending_events_again_changes_only_the_count_of_duplicates(log: list[Event], rng: random.Random) -> None:
    once = [event for event in log if event.kind != FORGET_USER]
    often = [copy for event in once for copy in [event] * rng.randint(1, 3)]
    plain, repeated = fold(once), fold(often)
    assert repeated.features.duplicates == plain.features.duplicates + len(often) - len(once)
    repeated.features.duplicates = plain.features.duplicates
    assert encode_features(plain.features) == encode_features(repeated.features)
    assert {item for item, *_ in plain.seen.items()} == {item for item, *_ in repeated.seen.items()}


@given(logs(max_size=250))
def test_a_user_stays_bounded(log: list[Event]) -> None:
    state = fold(log)
    features = state.features
    assert len(features.sequence) <= SEQUENCE
    assert len(features.recent) <= RECENT
    assert len(features.tastes) <= TASTES
    assert len(encode_features(features)) <= 4096
    assert all(count >= 0 for count in features.counts)


def test_the_largest_user_is_below_4_kb() -> None:
    state = UserState(UserFeatures(2**63 - 1))
    for number in range(3000):
        item = film(2**63 - 1 - number, "x", (f"Genre-{number % 50:02}", f"Another-{number % 49:02}"), 1990)
        event = Event(f"e{number}", RATING, 2**63 - 1, item.item_id, 500, "", 4_000_000_000_000 + number)
        fold_user(state, event, item, number + 1, MOVIES)
    assert len(encode_features(state.features)) <= 4096


def test_a_user_of_long_names_and_all_kinds_is_below_5_kb() -> None:
    state = UserState(UserFeatures(2**63 - 1))
    for number in range(3000):
        names = [f"{letter}{number % 16:0{MAX_TASTE_BYTES - 1}}" for letter in "AB"]
        item = film(2**63 - 1 - number, "x", names)
        kind, centi = ((RATING, 500), (CLICK, 0), (DISLIKE, 0))[number // 16 % 3]
        event = Event(f"e{number}", kind, 2**63 - 1, item.item_id, centi, "", 4_000_000_000_000 + number)
        fold_user(state, event, item, number + 1, MOVIES)
    assert all(all(weights) for weights in state.features.tastes.values())
    assert 4_096 < len(encode_features(state.features)) <= 5_120


def test_undo_takes_back_counts_tastes_lists_and_seen() -> None:
    before = fold([rating("a", 1, 500, 1000)])
    after = fold([rating("a", 1, 500, 1000), rating("b", 2, 450, 2000), Event("u", UNDO, USER, -1, 0, "b", 3000)])
    assert after.features.counts[RATING] == 1
    assert after.features.counts[UNDO] == 1
    assert after.features.rating_sum == before.features.rating_sum
    assert after.features.sequence == before.features.sequence
    assert after.features.recent == before.features.recent
    assert 1 in after.seen
    assert 2 not in after.seen
    for name, taste in after.features.tastes.items():
        wanted = before.features.tastes.get(name, [0] * 10)
        assert all(abs(got - want) <= 2 for got, want in zip(taste[4:7], wanted[4:7], strict=True)), name


def test_an_undone_event_stays_a_duplicate_and_a_second_undo_does_nothing() -> None:
    log = [rating("a", 1, 500, 1000), Event("u", UNDO, USER, -1, 0, "a", 2000)]
    state = fold(log)
    assert apply(state, log[0], 3) == DUPLICATE
    features = encode_features(state.features)
    assert apply(state, Event("u2", UNDO, USER, -1, 0, "a", 3000), 4) == APPLIED
    again = decode_user(features)
    assert state.features.rating_sum == again.rating_sum == 0
    assert state.features.counts[RATING] == 0


def test_forgetting_leaves_a_tombstone() -> None:
    state = fold([rating("a", 1, 500, 1000), Event("f", FORGET_USER, USER, -1, 0, "", 5000)])
    assert state.features == UserFeatures(USER, counts=[0, 0, 0, 0, 0, 0, 0, 1])
    assert len(state.seen) == 0
    assert apply(state, rating("a", 1, 500, 1000), 3) == LATE
    assert apply(state, rating("b", 1, 500, 5000), 4) == LATE
    assert apply(state, rating("c", 1, 500, 5001), 5) == APPLIED


def test_what_is_newer_than_the_wish_to_be_forgotten_is_forgotten_too_and_does_not_count_again() -> None:
    """The clocks of two devices differ, and events come out of order: what came before the wish is forgotten."""
    newer = rating("a", 1, 500, 7000)
    state = fold([newer, Event("f", FORGET_USER, USER, -1, 0, "", 5000)])
    assert apply(state, newer, 3) == LATE
    assert apply(state, Event("f", FORGET_USER, USER, -1, 0, "", 5000), 4) == LATE
    assert apply(state, Event("g", FORGET_USER, USER, -1, 0, "", 8000), 5) == APPLIED
    assert state.features == UserFeatures(USER, counts=[0, 0, 0, 0, 0, 0, 0, 2])


def test_a_session_ends_after_half_an_hour_of_silence() -> None:
    click = [Event(f"c{at}", CLICK, USER, 1, 0, "", at * 60_000) for at in (1, 20, 45)]
    assert fold(click).features.session == [60_000, 45 * 60_000, 3, 3]
    half_an_hour = [*click, Event("d", LIKE, USER, 1, 0, "", 75 * 60_000)]
    assert fold(half_an_hour).features.session == [60_000, 75 * 60_000, 4, 3]  # a silence of exactly that ends none
    later = [*click, Event("d", LIKE, USER, 1, 0, "", 76 * 60_000)]
    assert fold(later).features.session == [76 * 60_000, 76 * 60_000, 1, 0]
    assert fold(later).features.gap == 76 * 60_000 - 45 * 60_000
    assert fold(click).features.gap == 0


def added(log: list[Event]) -> list[Contribution | None]:
    state = UserState(UserFeatures(USER))
    return [outcome(state, event, n).contribution for n, event in enumerate(log, start=1)]


def test_a_contribution_says_what_an_undo_takes_back() -> None:
    likes = [Event(f"l{item}", LIKE, USER, item, 0, "", item * 1000) for item in (1, 2, 3)]
    undo = Event("u", UNDO, USER, -1, 0, "l3", 9_000)
    *_, given_one, taken = added([*likes, undo])
    assert given_one is not None
    assert given_one.sign == 1
    assert taken == given_one._replace(sign=-1)
    assert given_one.partners == (2, 1)


def test_partners_are_the_latest_other_likes_close_in_time() -> None:
    def like(item: int, ts: int) -> Event:
        return Event(f"{item}@{ts}", LIKE, USER, item, 0, "", ts)

    def partners_of(log: list[Event]) -> tuple[int, ...]:
        last = added(log)[-1]
        assert last is not None
        return last.partners

    start = 30 * DAY_MS
    many = [like(item, start + item) for item in range(1, 7)]
    assert partners_of([*many, like(9, start + 9)]) == (6, 5, 4)[:PARTNERS]
    assert partners_of([like(1, start), like(2, start + 1), like(1, start + 2)]) == (2,), "never itself"
    assert partners_of([like(1, start), like(2, start + MOVIES.together)]) == (1,)
    assert partners_of([like(1, start), like(2, start + MOVIES.together + 1)]) == ()
    assert partners_of([like(1, start + MOVIES.together), like(2, start)]) == (1,), "whichever came first"
    assert partners_of([like(1, start), like(2, start + 1), like(2, start + 2), like(3, start + 3)]) == (2, 1)
    for kind, centi in ((CLICK, 0), (VIEW, 0), (IMPRESSION, 0), (RATING, 370)):
        assert partners_of([like(1, start), Event("x", kind, USER, 2, centi, "", start)]) == ()


@given(logs())
def test_activity_counts_events_by_age(log: list[Event]) -> None:
    """Against decay from each event's own time; what is undone or forgotten is left out of the logs."""
    log = [event for event in log if event.kind < UNDO]
    state = UserState(UserFeatures(USER))
    counted = [
        event for n, event in enumerate(log, 1) if apply(state, event, n) == APPLIED and event.kind != IMPRESSION
    ]
    features = state.features
    rates = features.activity * fades(features, features.last_ts)
    for got, half_life in zip(rates, (HOUR_MS, DAY_MS, 14 * DAY_MS), strict=True):
        wanted = sum(decay(1 << 16, features.last_ts - event.ts, half_life) for event in counted) / (1 << 16)
        assert got == pytest.approx(wanted, rel=0.006, abs=0.001 * (1 + len(counted)))


def test_an_event_out_of_order_joins_its_session() -> None:
    first = Event("a", CLICK, USER, 1, 0, "", 100 * SESSION_GAP_MS)
    before = Event("b", VIEW, USER, 1, 0, "", 99 * SESSION_GAP_MS)
    long_before = Event("c", VIEW, USER, 1, 0, "", 90 * SESSION_GAP_MS)
    assert fold([first, before, long_before]).features.session == [99 * SESSION_GAP_MS, 100 * SESSION_GAP_MS, 2, 2]


def test_a_silence_of_exactly_half_an_hour_does_not_end_a_session() -> None:
    def clicks_after(silence: int) -> int:
        log = [Event("a", CLICK, USER, 1, 0, "", HOUR_MS), Event("b", CLICK, USER, 1, 0, "", HOUR_MS + silence)]
        return fold(log).features.session[2]

    assert (clicks_after(SESSION_GAP_MS), clicks_after(SESSION_GAP_MS + 1)) == (2, 1)


def test_an_undo_takes_activity_back() -> None:
    like, undo = Event("a", LIKE, USER, 1, 0, "", 1000), Event("u", UNDO, USER, -1, 0, "a", 2000)
    assert all(fold([like]).features.activity)
    assert fold([like, undo]).features.activity == [0, 0, 0]


def test_an_impression_is_no_activity_and_is_in_no_list() -> None:
    features = fold([Event("a", IMPRESSION, USER, 1, 0, "", 1000)]).features
    assert (features.activity, features.recent, features.sequence) == ([0, 0, 0], [], [])
    assert features.counts[IMPRESSION] == 1


def test_of_too_many_tastes_the_one_not_touched_for_longest_goes() -> None:
    state = UserState(UserFeatures(USER))
    for number in range(TASTES + 1):
        like = Event(f"e{number}", LIKE, USER, 1, 0, "", 1000 + number)
        fold_user(state, like, film(1, "x", (f"G{number}",), 0), number + 1, MOVIES)
    assert set(state.features.tastes) == {f"G{number}" for number in range(1, TASTES + 1)}


def test_an_item_stays_seen_while_another_event_holds_it() -> None:
    both = [rating("a", 1, 500, 1000), rating("b", 1, 300, 2000)]
    first = [*both, Event("u", UNDO, USER, -1, 0, "a", 3000)]
    assert 1 in fold(first).seen
    assert 1 not in fold([*first, Event("v", UNDO, USER, -1, 0, "b", 4000)]).seen


def test_an_item_that_was_only_viewed_or_shown_is_not_seen() -> None:
    for kind, seen in ((IMPRESSION, False), (VIEW, False), (CLICK, True), (LIKE, True), (DISLIKE, True)):
        assert (1 in fold([Event("a", kind, USER, 1, 0, "", 1000)]).seen) == seen


def test_what_is_late_is_counted_and_changes_nothing_else() -> None:
    state = fold([Event("f", FORGET_USER, USER, -1, 0, "", 5000), Event("a", CLICK, USER, 1, 0, "", 4000)])
    assert state.features == UserFeatures(USER, counts=[0, 0, 0, 0, 0, 0, 0, 1], late=1)


def test_the_newest_of_a_bounded_list_stay() -> None:
    log = [Event(f"e{number}", LIKE, USER, number, 0, "", 1000 + number) for number in range(SEQUENCE + 7)]
    features = fold(log).features
    assert [item for item, _ in features.sequence] == list(range(7, SEQUENCE + 7))
    assert [item for item, *_ in features.recent] == list(range(SEQUENCE + 7 - RECENT, SEQUENCE + 7))


@pytest.mark.parametrize(
    ("kind", "centi", "positive", "negative"),
    [
        (RATING, 400, 1, 0),
        (RATING, 399, 0, 0),
        (RATING, 251, 0, 0),
        (RATING, 250, 0, 1),
        (LIKE, 0, 1, 0),
        (DISLIKE, 0, 0, 1),
        (CLICK, 0, 0, 0),
        (VIEW, 0, 0, 0),
    ],
)
def test_what_is_positive_and_what_is_negative(kind: int, centi: int, positive: int, negative: int) -> None:
    features = fold([Event("a", kind, USER, 1, centi, "", 1000)]).features
    assert (features.positives, features.negatives, len(features.sequence)) == (positive, negative, positive)


def profile(event_id: str, attributes: str, ts: int) -> Event:
    return Event(event_id, PROFILE, USER, NO_ID, 0, attributes, ts)


def test_a_profile_replaces_the_attributes_in_the_order_of_the_log_and_is_no_act() -> None:
    like = Event("a", LIKE, USER, 1, 0, "", 5000)
    state = fold([like, profile("p", '{"plan":"free"}', 9000), profile("q", '{"plan":"paid"}', 8000)])
    alone = fold([like])
    assert state.features.attributes == '{"plan":"paid"}'
    assert len(encode_features(state.features)) == len(encode_features(alone.features)) + 1 + len('{"plan":"paid"}')
    state.features.attributes = ""
    assert encode_features(state.features) == encode_features(alone.features), "no count, no taste, no time of an act"
    assert apply(state, profile("r", "", 10_000), 4) == APPLIED
    assert state.features.attributes == ""


def test_a_profile_that_comes_again_is_a_duplicate_and_an_undo_takes_none_back() -> None:
    first = profile("p", '{"plan":"free"}', 1000)
    state = fold([first, profile("q", '{"plan":"paid"}', 2000)])
    assert outcome(state, first, 3) == Outcome(DUPLICATE, None)
    assert outcome(state, Event("u", UNDO, USER, -1, 0, "q", 3000), 4) == Outcome(APPLIED, None)
    assert state.features.attributes == '{"plan":"paid"}'
    assert dict(state.memory.items())[id_hash("q")].undone is False


def test_attributes_are_forgotten_with_their_user_and_do_not_come_back() -> None:
    """Even where the profile's clock was ahead of the wish to be forgotten."""
    told = profile("p", '{"plan":"paid"}', 7000)
    state = fold([told, Event("f", FORGET_USER, USER, -1, 0, "", 5000)])
    assert state.features == UserFeatures(USER, counts=[0, 0, 0, 0, 0, 0, 0, 1])
    assert apply(state, told, 3) == LATE
    assert apply(state, profile("q", '{"plan":"new"}', 7001), 4) == APPLIED
    assert state.features.attributes == '{"plan":"new"}'


def test_a_profile_tells_the_users_id_outside() -> None:
    state = fold([profile("p", "", 1000)._replace(user="Zoë")])
    assert state.features == UserFeatures("Zoë")
