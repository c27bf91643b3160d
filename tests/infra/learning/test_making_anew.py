"""All is made anew once a day: whatever kills it, it goes on; three failures give it up, and hold up no slice."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from features.base.reader import MANIFEST
from features.errors import MartletError
from features.units import DAY_MS, MINUTE_MS
from infra.home.paths import Home
from infra.learning.enough_memory import FreeMemory
from infra.learning.learner_state import ATTEMPTS, FILE, SavedState
from infra.learning.learner_view import learning_report, state_lines
from infra.learning.learning_rules import RENEWAL_REST_MS
from infra.learning.making_anew import MakingAnew
from models.registry import list_versions, read_manifest, version_folder
from tests.infra.learning.learner_trial import SETTINGS, CountedSteps, Killed

NIGHT = int(datetime(2026, 5, 4, 3, 30, tzinfo=UTC).timestamp() * 1000)
NIGHTLY = SETTINGS.__class__(model="toy", anew_hour=3)


def making_anew(
    home: Home, steps: CountedSteps, now: Callable[[], int], lines: list[str], lacking: str | None = None
) -> MakingAnew:
    """As a process that has just begun makes it, of a learner that runs since the day before. lacking: of memory."""
    memory, saved = FreeMemory(lines.append, find=lambda: lacking), SavedState(home.path / FILE, "toy", lines.append)
    if not saved.value.begun_at:
        saved.commit(msgspec.structs.replace(saved.value, begun_at=NIGHT - DAY_MS // 2))
    return MakingAnew(home, NIGHTLY, saved, steps, memory, now)


def test_it_is_made_once_a_night(home: Home) -> None:
    steps, lines = CountedSteps(home, []), list[str]()
    for now in (NIGHT - 60 * MINUTE_MS, NIGHT, NIGHT + MINUTE_MS, NIGHT + DAY_MS):
        making_anew(home, steps, lambda now=now: now, lines).step()  # type: ignore[misc]
    assert steps.renewed == [1, 1], "a number that is free: these steps make no base"
    assert lines == ["toy: makes all anew", "toy: made anew: base 1"] * 2


def test_a_version_that_somebody_trains_meanwhile_is_none_of_its_own(home: Home) -> None:
    """It is told by the base that it learned from; what an attempt that was killed has made is one."""
    steps = CountedSteps(home, ["after renew"])
    steps.learned_bases = ["7", "1", ""]
    with pytest.raises(Killed):
        making_anew(home, steps, lambda: NIGHT, []).step()
    assert making_anew(home, steps, lambda: NIGHT + DAY_MS // 2, []).step()
    state = SavedState(home.path / FILE, "toy", print).value
    assert len(list_versions(home.models, "toy")) == 3
    assert [read_manifest(version_folder(home.models, "toy", each)).data.base for each in state.anew] == ["1"]


@pytest.mark.parametrize("point", ["before renew", "after renew"])
def test_where_it_is_killed_it_goes_on_with_the_same_base(home: Home, point: str) -> None:
    steps = CountedSteps(home, [point])
    with pytest.raises(Killed):
        making_anew(home, steps, lambda: NIGHT, []).step()
    (home.bases / "1").mkdir(parents=True)  # half made
    hours_later = NIGHT + 300 * MINUTE_MS
    assert making_anew(home, steps, lambda: hours_later, []).step()
    assert set(steps.renewed) == {1}
    assert not making_anew(home, steps, lambda: hours_later + MINUTE_MS, []).step()


def test_it_rests_after_a_failure_and_is_given_up_until_the_next_night(home: Home) -> None:
    steps, lines = CountedSteps(home, []), list[str]()
    steps.refuse["renew"] = MartletError("Spark failed")
    for attempt in range(ATTEMPTS):
        now = NIGHT + attempt * RENEWAL_REST_MS
        assert making_anew(home, steps, lambda now=now: now, lines).step()  # type: ignore[misc]
        assert not making_anew(home, steps, lambda now=now: now + RENEWAL_REST_MS - 1, lines).step()  # type: ignore[misc]
    assert len(steps.renewed) == ATTEMPTS
    assert lines[1] == "toy: was not made anew: Spark failed; it is tried again after 10 minutes"
    assert lines[-1] == "toy: was not made anew: Spark failed; it is given up after 3 attempts"
    assert steps.discarded == [1]
    del steps.refuse["renew"]
    assert not making_anew(home, steps, lambda: NIGHT + 3 * RENEWAL_REST_MS, lines).step()
    assert making_anew(home, steps, lambda: NIGHT + DAY_MS, lines).step()


def test_that_it_is_given_up_is_said_until_it_is_made(home: Home) -> None:
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {"model": "toy", "anew_hour": 3}}')
    steps = CountedSteps(home, [])
    steps.refuse["renew"] = MartletError("Spark failed")
    for night in range(2):
        assert said_of(home) in (None, {"given_up": night, "why": "Spark failed"})
        for attempt in range(ATTEMPTS):
            now = NIGHT + night * DAY_MS + attempt * RENEWAL_REST_MS
            making_anew(home, steps, lambda now=now: now, []).step()  # type: ignore[misc]
        saved = SavedState(home.path / FILE, "toy", print)
        saved.commit(saved.value.with_text("slice 7: a good one", NIGHT))
        assert said_of(home) == {"given_up": night + 1, "why": "Spark failed"}
    assert "given up in a row: 2, the last time because Spark failed" in "\n".join(state_lines(home))
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {"model": "toy", "anew_hour": null}}')
    assert said_of(home) is None, "nobody wants it any more"
    assert "given up" not in "\n".join(state_lines(home))
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {"model": "toy", "anew_hour": 3}}')
    del steps.refuse["renew"]
    making_anew(home, steps, lambda: NIGHT + 2 * DAY_MS, []).step()
    assert said_of(home) is None


def said_of(home: Home) -> object:
    """What status, ops, metrics and alarms say of makings anew that were given up."""
    report = learning_report(home)
    assert report is not None
    return report.get("not_anew")


def test_a_base_that_others_have_made_meanwhile_is_not_taken_for_its_own(home: Home) -> None:
    steps = CountedSteps(home, ["before renew"])
    with pytest.raises(Killed):
        making_anew(home, steps, lambda: NIGHT, []).step()
    (home.bases / "1").mkdir(parents=True)
    (home.bases / "1" / MANIFEST).write_text('{"number": 1, "dataset": "ml-100k"}')
    assert making_anew(home, steps, lambda: NIGHT + RENEWAL_REST_MS, []).step()
    assert steps.renewed == [2]


def test_where_each_attempt_is_killed_it_rests_between_them_and_is_given_up(home: Home) -> None:
    steps, lines = CountedSteps(home, ["before renew"] * ATTEMPTS), list[str]()
    for attempt in range(ATTEMPTS):
        now = NIGHT + attempt * RENEWAL_REST_MS
        with pytest.raises(Killed):
            making_anew(home, steps, lambda now=now: now, lines).step()  # type: ignore[misc]
        if attempt + 1 < ATTEMPTS:
            assert not making_anew(home, steps, lambda now=now: now + RENEWAL_REST_MS - 1, lines).step()  # type: ignore[misc]
    assert making_anew(home, steps, lambda: NIGHT + 3 * RENEWAL_REST_MS, lines).step()
    killed = "toy: was not made anew: its process was killed, as where memory runs out; it is given up after 3 attempts"
    assert lines[1:] == [killed]
    assert not making_anew(home, steps, lambda: NIGHT + 4 * RENEWAL_REST_MS, lines).step()
    assert making_anew(home, steps, lambda: NIGHT + DAY_MS, lines).step()


def test_a_stop_in_order_is_no_attempt(home: Home) -> None:
    steps = CountedSteps(home, [])
    steps.refuse["renew"] = KeyboardInterrupt()
    for restart in range(ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            making_anew(home, steps, lambda restart=restart: NIGHT + restart, []).step()  # type: ignore[misc]
    del steps.refuse["renew"]
    assert making_anew(home, steps, lambda: NIGHT + MINUTE_MS, []).step(), "nor is it rested for"


def test_a_learner_that_runs_for_the_first_time_waits_for_a_night(home: Home) -> None:
    steps = CountedSteps(home, [])

    def new_process(now: int) -> MakingAnew:
        return MakingAnew(
            home,
            NIGHTLY,
            SavedState(home.path / FILE, "toy", print),
            steps,
            FreeMemory(print, find=lambda: None),
            lambda: now,
        )

    assert not new_process(NIGHT).step()
    assert not new_process(NIGHT + DAY_MS // 2).step()
    assert new_process(NIGHT + DAY_MS).step()


def test_it_waits_for_memory_and_outlives_a_full_disk(home: Home) -> None:
    steps, lines = CountedSteps(home, []), list[str]()
    assert not making_anew(home, steps, lambda: NIGHT, lines, "learning needs more").step()
    assert (steps.renewed, lines) == ([], ["learning needs more"])
    steps.refuse["renew"] = OSError(28, "No space left on device")
    assert making_anew(home, steps, lambda: NIGHT, lines).step()
    assert "No space left on device; it is tried again" in lines[-1]
