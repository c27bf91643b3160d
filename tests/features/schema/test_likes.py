"""Judgements decide over looks, whichever came first; the newest judgement holds."""

import pytest

from features.schema.likes import MAX_ACTS, Likes
from features.types import CLICK, DISLIKE, LIKE, RATING
from tests.schemas import MOVIES


@pytest.mark.parametrize(
    ("acts", "liked"),
    [
        ([(CLICK, 0)], True),
        ([(CLICK, 0), (RATING, 200)], False),
        ([(DISLIKE, 0), (CLICK, 0)], False),
        ([(DISLIKE, 0), (LIKE, 0)], True),
        ([(RATING, 400), (RATING, 350)], False),
        ([], False),
    ],
)
def test_what_is_liked(acts: list[tuple[int, int]], liked: bool) -> None:
    likes = Likes()
    for number, (code, centi) in enumerate(acts):
        likes.add(MOVIES, f"e{number}", code, centi, 5)
    assert likes.liked == ({5} if liked else set())


def test_what_was_taken_back_is_as_if_it_had_not_been() -> None:
    likes = Likes()
    for name, code in (("looked", CLICK), ("judged", DISLIKE), ("liked", LIKE)):
        likes.add(MOVIES, name, code, 0, 5)
    found = []
    for name in ("liked", "judged", "unknown", "looked"):
        likes.take_back(name)
        likes.add(MOVIES, name, LIKE, 0, 5 if name != "unknown" else 6)  # comes once more: it is known
        found.append(likes.liked)
    assert found == [set(), {5}, {5, 6}, {6}]


def test_acts_are_bounded() -> None:
    likes = Likes()
    for number in range(MAX_ACTS + 2):
        likes.add(MOVIES, f"e{number}", LIKE, 0, number)
    assert likes.liked == set(range(MAX_ACTS))
