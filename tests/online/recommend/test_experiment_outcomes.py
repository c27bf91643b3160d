"""Outcomes of experiments: each list counts once per outcome, and a bounded number of lists is remembered."""

from features.types import CLICK, DISLIKE, IMPRESSION, LIKE, RATING, UNDO, Event
from online.recommend.experiment_outcomes import ExperimentOutcomes
from online.support import metrics
from tests.schemas import MOVIES


def event(kind: int, request_id: str | None, centi: int = 0) -> Event:
    return Event(f"e{kind}", kind, 1, 2 if kind < UNDO else -1, centi, "", 0, request_id, 0)


def counted(experiment: str, arm: str) -> tuple[float, float]:
    outcomes, liked = (metrics.ACTED.labels(experiment, arm, outcome)._value.get() for outcome in ("acted", "liked"))
    return outcomes, liked


def test_a_list_counts_once_an_outcome() -> None:
    outcomes = ExperimentOutcomes(MOVIES)
    outcomes.record_shown("list", {"once": "a"})
    outcomes.record_events(
        [event(IMPRESSION, "list"), event(UNDO, "list"), event(CLICK, None), event(CLICK, "another")]
    )
    assert counted("once", "a") == (0, 0)
    outcomes.record_events([event(CLICK, "list"), event(DISLIKE, "list"), event(RATING, "list", 350)])
    assert counted("once", "a") == (1, 0)
    outcomes.record_events([event(RATING, "list", 400), event(LIKE, "list")])
    assert counted("once", "a") == (1, 1)


def test_a_list_counts_for_each_of_its_experiments() -> None:
    outcomes = ExperimentOutcomes(MOVIES)
    outcomes.record_shown("list", {"one": "a", "two": "control"})
    outcomes.record_events([event(LIKE, "list")])
    assert counted("one", "a") == counted("two", "control") == (1, 1)


def test_only_the_newest_lists_are_remembered_and_none_without_an_experiment() -> None:
    outcomes = ExperimentOutcomes(MOVIES, limit=2)
    for name in ("first", "second", "third"):
        outcomes.record_shown(name, {"kept": name})
    outcomes.record_shown("plain", {})
    outcomes.record_events([event(CLICK, name) for name in ("first", "second", "third", "plain")])
    assert [counted("kept", name)[0] for name in ("first", "second", "third")] == [0, 1, 1]
