"""Lists that interleave two models are compared by what was liked of whose picks."""

from features.types import CLICK, DISLIKE, LIKE, Event
from online.recommend.interleaving_outcomes import MAX_PAIRS, InterleavingOutcomes
from tests.schemas import MOVIES


def event(kind: int, request_id: str) -> Event:
    return Event(f"e{kind}", kind, 1, 2, 0, "", 0, request_id, 0)


def test_interleaved_lists_are_compared() -> None:
    outcomes = InterleavingOutcomes(MOVIES)
    for user in range(3):
        outcomes.record_shown(f"list {user}", user, {2: "din", 3: "fusion"})
    outcomes.record_shown("of one model alone", 4, {2: "din"})
    outcomes.record_events(
        [event(LIKE, "list 0"), event(CLICK, "list 1"), event(DISLIKE, "list 1"), event(LIKE, "of one")]
    )
    (verdict,) = outcomes.verdicts()
    assert (verdict.first, verdict.second, verdict.lists, verdict.liked) == ("din", "fusion", 3, (1, 0))
    assert (verdict.counted, verdict.users, verdict.share, verdict.decided) == (1, 1, 1.0, False)


def test_what_settled_lists_brought_stays() -> None:
    outcomes = InterleavingOutcomes(MOVIES, limit=1)
    for user in range(80):
        outcomes.record_shown(f"list {user}", user, {2: "din", 3: "fusion"})
        outcomes.record_events([event(LIKE, f"list {user}"), event(LIKE, "list 0")])
    (verdict,) = outcomes.verdicts()
    assert (verdict.lists, verdict.liked, verdict.decided, verdict.wanted) == (80, (80, 0), True, 0)


def test_pairs_are_bounded_and_the_newest_are_counted() -> None:
    outcomes = InterleavingOutcomes(MOVIES, limit=1)
    for version in range(MAX_PAIRS + 10):
        outcomes.record_shown(f"list {version}", 1, {2: "din:0", 3: f"fusion:{version:03}"})
    found = {each.second for each in outcomes.verdicts()}
    assert found == {f"fusion:{version:03}" for version in range(9, MAX_PAIRS + 10)}
