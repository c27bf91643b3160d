"""Judgements decide over looks, whichever came first; the newest judgement holds."""

import pytest

from features.contracts.served import MAX_SLATE
from features.statistics.likes import ACTS_OF_ITEM, ListActs
from features.types import CLICK, DISLIKE, IMPRESSION, LIKE, RATING
from tests.schemas import MOVIES

LIST = 7, "a list"


@pytest.mark.parametrize(
    ("acts", "liked"),
    [
        ([(CLICK, 0)], True),
        ([(CLICK, 0), (RATING, 200)], False),
        ([(DISLIKE, 0), (CLICK, 0)], False),
        ([(DISLIKE, 0), (LIKE, 0)], True),
        ([(RATING, 400), (RATING, 350)], False),
        ([(RATING, 200), *[(CLICK, 0)] * 2 * ACTS_OF_ITEM], False),
        ([(CLICK, 0), *[(DISLIKE, 0)] * 2 * ACTS_OF_ITEM, (LIKE, 0)], True),
        ([], False),
    ],
)
def test_what_is_liked(acts: list[tuple[int, int]], liked: bool) -> None:
    found = ListActs()
    for number, (code, centi) in enumerate(acts):
        found.add(LIST, MOVIES, f"e{number}", code, centi, 5)
    assert found.liked(LIST) == ({5} if liked else set())


def test_what_was_taken_back_is_as_if_it_had_not_been() -> None:
    acts = ListActs()
    for name, code in (("looked", CLICK), ("judged", DISLIKE), ("liked", LIKE)):
        acts.add(LIST, MOVIES, name, code, 0, 5)
    found = []
    for name in ("liked", "judged", "unknown", "looked"):
        acts.take_back(7, name)
        acts.add(LIST, MOVIES, name, LIKE, 0, 5 if name != "unknown" else 6)  # comes once more: it is known
        found.append(acts.liked(LIST))
    assert found == [set(), {5}, {5, 6}, {6}]


def test_an_act_is_known_by_its_user_and_its_id() -> None:
    acts, others, own = ListActs(), (8, "a list"), (7, "another list")
    for name in (LIST, others, own):
        acts.add(name, MOVIES, "e", LIKE, 0, 5)
    assert [acts.liked(name) for name in (LIST, others, own)] == [{5}, {5}, set()]
    acts.take_back(7, "e")
    assert [acts.liked(name) for name in (LIST, others)] == [set(), {5}]
    acts.forget(others)
    acts.take_back(8, "e")
    assert len(acts) == 1
    acts.forget(LIST)
    assert acts == ListActs()


def test_an_item_has_its_newest_acts_and_a_list_as_many_items_as_one_may_show() -> None:
    acts = ListActs()
    for number in range(20 * MAX_SLATE):
        acts.add(LIST, MOVIES, f"e{number}", LIKE, 0, number % (2 * MAX_SLATE))
        acts.add(LIST, MOVIES, f"i{number}", IMPRESSION, 0, number)
    assert acts.liked(LIST) == set(range(MAX_SLATE))
    assert len(acts) == ACTS_OF_ITEM * MAX_SLATE
    for number in range(18 * MAX_SLATE + 1):  # all but the newest of each other item
        acts.take_back(7, f"e{number}")
    assert acts.liked(LIST) == set(range(1, MAX_SLATE))
