"""Judgements decide over looks, whichever came first; the newest judgement holds."""

import pytest

from features.schema.likes import Likes
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
    for code, centi in acts:
        likes.add(MOVIES, code, centi, 5)
    assert likes.liked == ({5} if liked else set())
