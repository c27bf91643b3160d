"""Lists are counted once, when their window is over, with the likes that came until then; a judge that was killed goes on."""

import itertools

import msgspec
import pytest

from features.contracts.scores import InterleavedList, ShadowList
from features.types import CLICK, DISLIKE, IMPRESSION, LIKE, NO_ID, RATING, UNDO, Event
from infra.judging.outcomes import EARLY_MS, MAX_OPEN, CountedList, Evidence, Joined, JudgeState, ndcg
from tests.calls import count_calls
from tests.schemas import MOVIES

KEY = ("fusion", 3, "fusion:4")


def interleaved(request_id: str, user: int | str = 7) -> InterleavedList:
    return InterleavedList(request_id, user, "fusion", 3, "fusion:4", (1, 2), (3, 4))


def shadow(request_id: str, ranks: tuple[int, ...], problem: str = "") -> ShadowList:
    return ShadowList(request_id, 7, "fusion", 4, 0.002, problem, (1, 2, 3), ranks)


_numbers = itertools.count()


def act(request_id: str, item_id: int, kind: int, centi: int = 0, user: int = 7, name: str = "") -> Event:
    return Event(name or f"e{next(_numbers)}", kind, user, item_id, centi, "", 0, request_id, 0)


def undo(target: str, user: int = 7) -> Event:
    return Event(f"e{next(_numbers)}", UNDO, user, NO_ID, 0, target, 0)


def closed(joined: Joined, until: int, read: int = 0) -> list[tuple[str, set[int]]]:
    return [(record.request_id, liked) for record, liked in joined.close(until, read)]


def test_a_list_is_counted_once_with_the_newest_act_on_each_item() -> None:
    joined = Joined()
    joined.add_act(act("a", 3, LIKE), MOVIES, ts=9)  # an act may come before the list's record
    joined.add_list(interleaved("a"), ts=10)
    joined.add_list(interleaved("a"), ts=11)
    joined.add_list(interleaved("b"), ts=20)
    joined.add_act(act("a", 1, LIKE), MOVIES, ts=12)
    joined.add_act(act("a", 1, DISLIKE), MOVIES, ts=13)
    joined.add_act(act("a", 1, CLICK), MOVIES, ts=14)
    joined.add_act(act("a", 2, IMPRESSION), MOVIES, ts=14)
    joined.add_act(act("a", 5, CLICK), MOVIES, ts=14)
    joined.add_act(act("a", 4, RATING, 300), MOVIES, ts=14)
    assert closed(joined, 10) == []
    assert closed(joined, 20) == [("a", {3, 5})]
    assert closed(joined, 21) == [("b", set())]
    assert joined == Joined()


def test_an_act_waits_a_minute_for_its_lists_record() -> None:
    joined = Joined()
    joined.add_act(act("a", 3, LIKE), MOVIES, ts=9)
    joined.add_act(act("b", 3, LIKE), MOVIES, ts=9)
    assert closed(joined, 99, 9 + EARLY_MS) == []
    joined.add_list(interleaved("a"), ts=10)
    assert closed(joined, 10, 10 + EARLY_MS) == []
    joined.add_list(interleaved("b"), ts=10)
    assert closed(joined, 99) == [("a", {3}), ("b", set())]
    assert joined == Joined()


def test_a_list_has_what_its_own_user_liked_and_has_not_taken_back() -> None:
    joined = Joined()
    joined.add_act(act("a", 1, LIKE, name="early"), MOVIES, ts=9)
    joined.add_list(interleaved("a"), ts=10)
    joined.add_list(shadow("a", (0, 1, 2)), ts=10)
    for event in (
        act("a", 2, LIKE, name="undone"), act("a", 3, LIKE, user=8, name="another's"), act("a", 4, LIKE, name="stays"),
        undo("early"), undo("undone"), undo("stays", user=8), undo("another's"), undo("unknown"),
        act("a", 2, LIKE, name="undone"),
    ):  # fmt: skip
        joined.add_act(event, MOVIES, ts=11)
    assert closed(joined, 99) == [("a", {4}), ("a", {4})]
    assert closed(joined, 99, 12 + EARLY_MS) == []
    assert joined == Joined()


def test_acts_that_name_no_compared_list_push_out_none_that_do() -> None:
    """Whoever they are of, and also those on a list whose user is another."""
    joined = Joined()
    joined.add_list(interleaved("a"), ts=10)
    joined.add_act(act("a", 1, LIKE), MOVIES, ts=11)
    for number in range(MAX_OPEN + 5):
        joined.add_act(act(f"made up {number}", 1, LIKE, user=7 + number % 2), MOVIES, ts=12)
    joined.add_act(act("a", 2, LIKE, user=8), MOVIES, ts=12)
    assert (len(joined.unclaimed), joined.early) == (MAX_OPEN, 6)
    assert len(joined.acts.lists) == MAX_OPEN + 1
    assert closed(joined, 11) == [("a", {1})]


def test_acts_on_lists_that_are_not_compared_push_out_none_that_are() -> None:
    joined = Joined()
    for number in range(3 * MAX_OPEN):
        ts = number * EARLY_MS // 1_000
        if number % 100 == 0:
            joined.add_list(interleaved(f"r{number}"), ts)
        joined.add_act(act(f"r{number}", 1, LIKE), MOVIES, ts + 1)
        if number % 1_000 == 0:
            assert closed(joined, 0, ts) == []
    assert joined.early == 0
    found = dict(closed(joined, 1 << 40))
    assert len(found) == 3 * MAX_OPEN // 100
    assert all(liked == {1} for liked in found.values())


def test_what_is_open_is_bounded() -> None:
    joined = Joined()
    for number in range(MAX_OPEN + 100):
        joined.add_act(act(f"r{number}", 1, LIKE), MOVIES, ts=number)
        joined.add_list(interleaved(f"r{number}"), ts=number)
    assert len(closed(joined, 0)) == 100
    assert (len(joined.lists), len(joined.acts.lists), joined.early) == (MAX_OPEN, MAX_OPEN, 100)


def test_an_undo_costs_the_same_however_many_lists_its_user_has_acted_on() -> None:
    joined = Joined()
    for number in range(100):
        joined.add_act(act(f"r{number}", 1, LIKE, user=7 if number < 99 else 8), MOVIES, ts=1)

    def undos(user: int) -> None:
        for number in range(10):
            joined.add_act(undo(f"unknown {number}", user), MOVIES, ts=2)

    assert count_calls(lambda: undos(7)) == count_calls(lambda: undos(8))


def test_acts_are_bounded_and_those_on_open_lists_stay_longer() -> None:
    joined = Joined(max_acts=6)
    for number in range(3):
        joined.add_list(interleaved(f"r{number}"), ts=10 + number)
        joined.add_act(act(f"r{number}", 1, LIKE), MOVIES, ts=20)
    for number in range(4):
        for item_id in range(2):
            joined.add_act(act(f"made up {number}", item_id, LIKE), MOVIES, ts=20)
    assert (len(joined.acts), len(joined.unclaimed), joined.early, closed(joined, 0)) == (5, 1, 3, [])
    for item_id in (2, 3, 4, 1, 1):
        joined.add_act(act("r2", item_id, LIKE), MOVIES, ts=20)
    assert closed(joined, 0) == [("r0", {1}), ("r1", {1})]
    assert (joined.early, closed(joined, 99)) == (6, [("r2", {1, 2, 3, 4})])


def test_a_list_is_won_by_whose_picks_were_liked_more() -> None:
    evidence = Evidence()
    for user, liked in enumerate([{1}, {3}, {3, 4, 1}, {1, 3}, set[int]()]):
        evidence.count(interleaved("a", user), liked)
    found = evidence.of(*KEY)
    assert (found.lists, found.liked) == (5, (3, 4))
    assert found.differences.sums == {0: 1.0, 1: -1.0, 2: -1.0}
    assert evidence.of("fusion", 3, "fusion:9").lists == 0


def test_a_shadow_is_compared_by_the_ranks_of_what_was_liked() -> None:
    evidence = Evidence()
    evidence.count(shadow("a", (0, 400, 2)), {1})
    evidence.count(shadow("b", (0, 400, 2)), {2})
    evidence.count(shadow("d", (), problem="away"), {1})
    found = evidence.shadows["fusion", 4]
    assert (found.lists, found.problems, found.differences.counts) == (3, 1, {7: 2})
    assert found.differences.sums[7] == pytest.approx(-ndcg([1]))


def test_what_is_liked_is_ranked_alike_in_whatever_order_it_comes() -> None:
    """Ten ranks in this order once summed up to a little more than in their own."""
    best = [0, 8, 2, 6, 9, 7, 1, 5, 3, 4]
    assert ndcg(best) == ndcg(sorted(best)) == 1
    assert ndcg([0, 0, 0]) < 1
    items, shown = tuple(range(100, 130)), 15
    ranks = [*range(100, 100 + shown), *best, *range(200, 205)]
    evidence = Evidence()
    record = ShadowList("a", 7, "fusion", 4, 0.002, "", items, tuple(ranks))
    evidence.count(record, {items[shown + number] for number in range(10)})
    assert evidence.shadows["fusion", 4].differences.sums == {7: 1}


def test_what_was_counted_survives_as_json() -> None:
    joined, evidence = Joined(), Evidence()
    joined.add_list(interleaved("open", "Ada"), ts=20)
    joined.add_list(shadow("open", (1, 2, 3)), ts=20)
    joined.add_act(act("open", 3, LIKE), MOVIES, ts=21)
    joined.add_act(act("open", 3, LIKE)._replace(user="Ada"), MOVIES, ts=21)
    counted: list[tuple[CountedList, set[int]]] = [
        (interleaved("a", "Ada"), {1}), (interleaved("b"), {3}), (shadow("c", (0, 1, 2)), {3})
    ]  # fmt: skip
    for record, liked in [*counted, *[(interleaved(f"x{n}", "Ada"), {1}) for n in range(12)]]:
        evidence.count(record, liked)
    assert evidence.of("fusion", 3, "fusion:4").differences.in_vain == {"Ada": 3}
    state = JudgeState.of({"events": {0: 17}, "scores": {0: 3}}, joined, evidence)
    again = msgspec.json.decode(msgspec.json.encode(state), type=JudgeState)
    assert again.offsets == {"events": {0: 17}, "scores": {0: 3}}
    assert again.evidence() == evidence
    assert again.joined() == joined


def test_of_who_is_forgotten_nothing_is_held_by_name() -> None:
    """Verdicts stay as they were; what was open is dropped, with what comes of it later."""
    joined, evidence = Joined(), Evidence()
    for user in ("Ada", "Bob"):
        for number in range(12):
            evidence.count(interleaved(f"{user}{number}", user), {1})
        joined.add_list(interleaved(f"open {user}", user), ts=20)
        joined.add_act(act(f"open {user}", 3, LIKE)._replace(user=user), MOVIES, ts=21)
        joined.add_act(act(f"none {user}", 3, LIKE)._replace(user=user), MOVIES, ts=21)
    before = evidence.of("fusion", 3, "fusion:4").verdict("a", "b")
    joined.forget_user("Ada", 22)
    joined.add_list(interleaved("read late", "Ada"), ts=19)
    evidence.forget_user("Ada")
    evidence.forget_user("nobody")
    assert evidence.of("fusion", 3, "fusion:4").verdict("a", "b") == before
    assert closed(joined, 30) == [("open Bob", {3})]
    assert (
        msgspec.json.decode(msgspec.json.encode(JudgeState.of({}, joined, evidence)), type=JudgeState).joined()
        == joined
    )
    assert closed(joined, 30, read=23 + EARLY_MS) == []
    assert b"Ada" not in msgspec.json.encode(JudgeState.of({}, joined, evidence))
    joined.add_list(interleaved("back", "Ada"), ts=24 + EARLY_MS)
    assert list(joined.lists)


def test_a_state_whose_acts_were_told_another_way_is_read_without_them() -> None:
    acts = {"a": {"ts": 9, "likes": {"judged": {"3": True}, "clicked": [4]}}}
    acted = [[7, "a", {"ts": 9, "likes": {"acts": {"e1": [3, True], "e2": None}}}]]
    before = {
        "offsets": {"events": {0: 17}}, "lists": {}, "acts": acts, "acted": acted, "interleaved": [], "shadows": []
    }  # fmt: skip
    state = msgspec.json.decode(msgspec.json.encode(before), type=JudgeState)
    assert (state.offsets, state.joined(), state.evidence()) == ({"events": {0: 17}}, Joined(), Evidence())


def test_what_was_counted_of_versions_that_are_gone_is_dropped() -> None:
    evidence = Evidence()
    evidence.count(interleaved("a"), {1})
    evidence.count(shadow("a", (0, 1, 2)), {1})
    evidence.retain("fusion", 3, 4)
    assert (len(evidence.interleaved), len(evidence.shadows)) == (1, 1)
    evidence.retain("other", None, None)
    assert (len(evidence.interleaved), len(evidence.shadows)) == (1, 1), "of another model"
    evidence.retain("fusion", 3, 4, {"fusion:4"})
    assert (len(evidence.interleaved), len(evidence.shadows)) == (0, 1)
    evidence.retain("fusion", 4, None)
    assert (len(evidence.interleaved), len(evidence.shadows)) == (0, 0)
