"""Lists that interleave two models are compared by what was liked of whose picks."""

from collections.abc import Iterable

from features.statistics.likes import ACTS_OF_ITEM
from features.types import CLICK, DISLIKE, LIKE, NO_ID, UNDO, Event
from online.recommend.interleaving_outcomes import MAX_PAIRS, InterleavingOutcomes
from tests.calls import count_calls
from tests.schemas import MOVIES


def event(kind: int, number: int, user: int | None = None, item: int = 2) -> Event:
    """An act on the list of a number, which a user of that number was shown."""
    user = number if user is None else user
    return Event(f"e{kind} of {user}", kind, user, item, 0, "", 0, f"list {number}", 0)


def test_interleaved_lists_are_compared() -> None:
    outcomes = InterleavingOutcomes(MOVIES)
    for user in range(3):
        outcomes.record_shown(f"list {user}", user, {2: "din", 3: "fusion"})
    outcomes.record_shown("list 4", 4, {2: "din"})
    outcomes.record_events([event(LIKE, 0), event(CLICK, 1), event(DISLIKE, 1), event(LIKE, 4)])
    (verdict,) = outcomes.verdicts()
    assert (verdict.first, verdict.second, verdict.lists, verdict.liked) == ("din", "fusion", 3, (1, 0))
    assert (verdict.counted, verdict.users, verdict.share, verdict.decided) == (1, 1, 1.0, False)


def test_a_list_has_what_its_own_user_liked_and_has_not_taken_back() -> None:
    outcomes = InterleavingOutcomes(MOVIES)
    for user in range(2):
        outcomes.record_shown(f"list {user}", user, {2: "din", 3: "fusion"})

    def undo(target: Event, user: int) -> Event:
        return Event(f"undo of {target.event_id}", UNDO, user, NO_ID, 0, target.event_id, 0)

    undone, another_user, stays = event(LIKE, 0), event(LIKE, 0, user=9, item=3), event(LIKE, 1)
    outcomes.record_events([undone, another_user, stays, undo(undone, 0), undo(stays, 0)])
    (verdict,) = outcomes.verdicts()
    assert (verdict.lists, verdict.liked) == (2, (1, 0))


def undos(user: int) -> list[Event]:
    return [Event(f"undo {number}", UNDO, user, NO_ID, 0, f"unknown {number}", 0) for number in range(10)]


def test_an_undo_costs_the_same_however_many_lists_its_user_has() -> None:
    outcomes = InterleavingOutcomes(MOVIES)
    for number in range(100):
        user = 0 if number < 99 else 1
        outcomes.record_shown(f"list {number}", user, {2: "din", 3: "fusion"})
        outcomes.record_events([event(LIKE, number, user)._replace(event_id=f"e{number}")])
    assert outcomes.verdicts()[0].liked == (100, 0)
    of_many = count_calls(lambda: outcomes.record_events(undos(0)))
    assert of_many == count_calls(lambda: outcomes.record_events(undos(1)))


def test_remembered_acts_are_bounded_and_the_oldest_list_is_settled_for_them() -> None:
    """Only acts on items that a list shows are remembered, and of one item the newest."""
    outcomes = InterleavingOutcomes(MOVIES, max_acts=2 * ACTS_OF_ITEM)
    for number in range(2):
        outcomes.record_shown(f"list {number}", 7, {2: "din", 3: "fusion"})

    def likes(number: int, items: Iterable[int]) -> list[Event]:
        named = [(item, event(LIKE, number, 7, item)) for item in items]
        return [each._replace(event_id=f"{number} {item} {at}") for at, (item, each) in enumerate(named)]

    outcomes.record_events([event(LIKE, 0, 7), *likes(1, range(4, 100)), *likes(1, [2] * 100)])
    outcomes.record_events([Event("undo", UNDO, 7, NO_ID, 0, event(LIKE, 0, 7).event_id, 0)])
    outcomes.record_events(likes(1, [3] * 100))  # in whose place the first list goes
    outcomes.record_events(likes(0, [2, 3]))
    (verdict,) = outcomes.verdicts()
    assert (verdict.lists, verdict.liked) == (2, (1, 1))


def test_what_settled_lists_brought_stays() -> None:
    outcomes = InterleavingOutcomes(MOVIES, limit=1)
    for user in range(80):
        outcomes.record_shown(f"list {user}", user, {2: "din", 3: "fusion"})
        outcomes.record_events([event(LIKE, user), event(LIKE, 0)])
    (verdict,) = outcomes.verdicts()
    assert (verdict.lists, verdict.liked, verdict.decided, verdict.wanted) == (80, (80, 0), True, 0)


def test_a_pair_that_is_shown_on_and_on_is_counted_on_while_others_come_and_go() -> None:
    outcomes = InterleavingOutcomes(MOVIES, limit=1)
    for version in range(2 * MAX_PAIRS):
        outcomes.record_shown(f"list {version}", version, {2: "din", 3: f"fusion:{version:03}"})
        outcomes.record_shown(f"experiment {version}", version, {2: "din", 3: "fusion"})
    (verdict,) = (each for each in outcomes.verdicts() if each.second == "fusion")
    assert verdict.lists == 2 * MAX_PAIRS


def test_pairs_are_bounded_and_the_newest_are_counted() -> None:
    outcomes = InterleavingOutcomes(MOVIES, limit=1)
    for version in range(MAX_PAIRS + 10):
        outcomes.record_shown(f"list {version}", 1, {2: "din:0", 3: f"fusion:{version:03}"})
    found = {each.second for each in outcomes.verdicts()}
    assert found == {f"fusion:{version:03}" for version in range(9, MAX_PAIRS + 10)}
