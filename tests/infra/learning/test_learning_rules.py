"""When a slice ends, weights become a candidate, and with which version they begin."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.units import DAY_MS, HOUR_MS, MINUTE_MS
from infra.learning.learner_state import LearnerState
from infra.learning.learning_rules import (
    ANEW_REST_MS,
    MAX_RECORDS,
    MIN_POSITIVES,
    RENEWAL_REST_MS,
    anew_is_due,
    began_with,
    next_origin,
    publication_waits_for,
    slice_is_full,
    slice_is_over,
    surplus,
    with_clock,
)
from models.registry import Labels
from online.ranking.policy import MAX_POSITIVES, Learning

NOW = int(datetime(2026, 5, 4, 3, 30, tzinfo=UTC).timestamp() * 1000)
SETTINGS = Learning()


def state(**changes: object) -> LearnerState:
    return msgspec.structs.replace(LearnerState(model="fusion"), **changes)


@pytest.mark.parametrize(
    ("positives", "records", "seconds", "over"),
    [
        (499, 900, 299.0, False),
        (500, 900, 0.0, True),
        (MIN_POSITIVES, 9, 300.0, True),
        (MIN_POSITIVES - 1, 9000, 1e6, False),
        (0, MAX_RECORDS, 0.0, True),
    ],
)
def test_a_slice_ends_by_time_or_by_likes_and_never_with_too_few(
    positives: int, records: int, seconds: float, over: bool
) -> None:
    assert slice_is_over(positives, records, seconds, SETTINGS) == over


def test_a_slice_is_bounded_however_far_the_learner_is_behind() -> None:
    assert not slice_is_full(MAX_POSITIVES - 1, MAX_RECORDS - 1)
    assert slice_is_full(MAX_POSITIVES, 0)
    assert slice_is_full(0, MAX_RECORDS)


def test_weights_begin_with_the_version_that_ranks_and_take_what_others_make_later() -> None:
    labels = Labels(stable=3)
    first = next_origin(state(), [1, 2, 3], labels)
    assert first is not None
    assert first[0] == 3
    begun = began_with(state(), 3, 77, [1, 2, 3])
    assert (begun.origin, begun.since, begun.weights, begun.known) == (3, 77, 0, 3)
    assert next_origin(begun, [1, 2, 3], labels) is None
    by_hand = next_origin(begun, [1, 2, 3, 4], labels)
    assert by_hand is not None
    assert by_hand[0] == 4


def test_what_the_learner_published_is_no_version_of_others() -> None:
    begun = state(origin=3, known=3, published={4: 9}, weights=9, candidate=4)
    assert next_origin(begun, [3, 4], Labels(stable=3, candidate=4)) is None
    assert next_origin(begun, [3, 4], Labels(stable=4, last_good=3)) is None


@pytest.mark.parametrize("lost", [(4,), (3,)])
def test_after_a_verdict_against_them_weights_begin_with_what_ranks_once(lost: tuple[int, ...]) -> None:
    begun = state(origin=3, known=4, published={4: 9}, weights=9, candidate=4)
    labels = Labels(stable=2, lost=lost)
    back = next_origin(begun, [2, 3, 4], labels)
    assert back is not None
    assert back[0] == 2
    again = began_with(begun, 2, 5, [2, 3, 4])
    assert next_origin(again, [2, 3, 4], labels) is None


def test_nothing_learns_where_no_version_is() -> None:
    assert next_origin(state(), [], Labels()) is None
    assert next_origin(state(), [1], Labels(lost=(1,))) is None


READY = state(weights=9, origin=1, published_at=NOW - 2 * HOUR_MS)


@pytest.mark.parametrize(
    ("changes", "labels", "reason"),
    [
        ({}, Labels(stable=1), None),
        ({"weights": 0}, Labels(stable=1), "weights that have learned"),
        ({"candidate": 4, "published": {4: 9}}, Labels(stable=1), "weights that have learned"),
        ({"candidate": 4, "published": {4: 8}}, Labels(stable=1), None),
        ({}, Labels(), "the judge to name the version that ranks"),
        ({}, Labels(stable=1, candidate=3), "the verdict on 3"),
        ({}, Labels(stable=3, last_good=1, proved=False), "the proof of 3"),
        ({"published_at": NOW - HOUR_MS // 2}, Labels(stable=1), "the time between two candidates"),
    ],
)
def test_weights_become_a_candidate_when_the_judge_is_free_and_an_hour_is_over(
    changes: dict[str, object], labels: Labels, reason: str | None
) -> None:
    assert publication_waits_for(msgspec.structs.replace(READY, **changes), labels, SETTINGS, NOW) == reason


def test_a_candidate_that_shadows_for_a_day_does_not_keep_weights_from_waiting_beside_it() -> None:
    """Nothing may rank it, as the API refuses it, or nobody may have come: which it is the judge knows."""
    ready = msgspec.structs.replace(READY, published_at=NOW - 30 * DAY_MS)
    shadowing = Labels(stable=1).decided(NOW - DAY_MS, "shadows", candidate=3, phase="shadow")
    assert publication_waits_for(ready, shadowing, SETTINGS, NOW - 1) == "the verdict on 3"
    assert publication_waits_for(ready, shadowing, SETTINGS, NOW) is None
    just = msgspec.structs.replace(ready, published_at=NOW - DAY_MS + 1)
    assert publication_waits_for(just, shadowing, SETTINGS, NOW) == "the verdict on 3", "one a day"
    tried = shadowing.decided(NOW - DAY_MS, "on trial", phase="trial")
    assert publication_waits_for(ready, tried, SETTINGS, NOW) == "the verdict on 3"


def test_all_is_made_anew_in_its_hour_once_a_day() -> None:
    assert anew_is_due(state(anew_at=NOW - DAY_MS), SETTINGS, NOW)
    assert not anew_is_due(state(anew_at=NOW - DAY_MS), SETTINGS, NOW - HOUR_MS), "its hour has not come"
    assert not anew_is_due(state(anew_at=NOW - HOUR_MS // 4), SETTINGS, NOW)
    assert not anew_is_due(state(anew_at=NOW - HOUR_MS), SETTINGS, NOW), "whatever the clock did, it rests"
    assert not anew_is_due(state(anew_at=NOW - DAY_MS), Learning(anew_hour=None), NOW)


@pytest.mark.parametrize("hour", [0, 3, 12, 23])
def test_a_home_that_runs_by_day_is_made_anew_once_each_day(hour: int) -> None:
    settings, home = Learning(anew_hour=hour), state(begun_at=NOW)
    made = []
    for now in range(NOW, NOW + 10 * DAY_MS, HOUR_MS // 6):
        if 8 <= now % DAY_MS // HOUR_MS < 18 and anew_is_due(home, settings, now):
            home = msgspec.structs.replace(home, anew_at=now)
            made.append(now)
    assert len({now // DAY_MS for now in made}) == len(made) >= 9


def test_a_new_home_waits_for_its_first_night() -> None:
    for minutes in range(0, 24 * 60, 10):
        began = NOW + minutes * MINUTE_MS
        due = next(
            now
            for now in range(began, began + 2 * DAY_MS, MINUTE_MS)
            if anew_is_due(state(begun_at=began), SETTINGS, now)
        )
        assert 0 < due - began <= DAY_MS
        assert due % DAY_MS == SETTINGS.anew_hour * HOUR_MS  # type: ignore[operator]  # it has one


def test_what_is_being_made_anew_goes_on_whatever_the_hour_and_rests_after_a_failure() -> None:
    begun = state(renewing=4, anew_at=NOW - HOUR_MS // 4)
    assert anew_is_due(begun, SETTINGS, NOW + 5 * HOUR_MS)
    failed = msgspec.structs.replace(begun, renewal_failed_at=NOW)
    assert not anew_is_due(failed, SETTINGS, NOW + RENEWAL_REST_MS - 1)
    assert anew_is_due(failed, SETTINGS, NOW + RENEWAL_REST_MS)


@given(st.integers(0, 4 * DAY_MS), st.integers(-DAY_MS * 4000, DAY_MS * 4000))
def test_a_clock_that_jumps_holds_the_learner_up_for_no_longer_than_its_rests(before: int, jump: int) -> None:
    """Whatever the clock said when it published last, a day after the jump both are due."""
    now = NOW + max(jump, -NOW)
    ahead = now + before
    after = with_clock(state(weights=9, origin=1, published_at=ahead, anew_at=ahead, renewal_failed_at=ahead), now)
    later = now + DAY_MS
    assert anew_is_due(msgspec.structs.replace(after, renewing=2), SETTINGS, now + RENEWAL_REST_MS)
    assert publication_waits_for(with_clock(after, later), Labels(stable=1), SETTINGS, later) is None
    assert later - with_clock(after, later).anew_at >= ANEW_REST_MS


def test_versions_of_the_learner_alone_go_and_none_with_a_label_or_among_the_newest() -> None:
    mine = state(published={2: 1, 3: 2, 4: 3, 5: 4, 7: 5, 8: 6}, origin=1)
    labels = Labels(stable=3, last_good=1)
    assert surplus(mine, range(1, 9), labels, retained=3) == [2, 4, 5]


def test_versions_made_anew_go_as_those_of_the_learner_do() -> None:
    mine = state(published={4: 3}, anew=(2, 5, 8), origin=1)
    assert surplus(mine, range(1, 10), Labels(stable=5), retained=2) == [2, 4]
