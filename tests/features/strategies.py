"""Hypothesis strategies for events, and small helpers that several tests share."""

from hypothesis import strategies as st

from features.units import DAY_MS
from features.words import (
    CLICK,
    DISLIKE,
    FORGET_USER,
    IMPRESSION,
    LIKE,
    RATING,
    UNDO,
    VIEW,
    Contribution,
    Event,
    Item,
)

USER = 7
CATALOGUE = {
    number: Item(number, f"Film {number}", ("Drama", "Comedy", "War")[: number % 4], 1950 + 7 * number)
    for number in range(1, 9)
}

ids = st.integers(0, 30).map(lambda number: f"e{number}")
times = st.integers(0, 40 * DAY_MS)
ratings = st.sampled_from([50, 150, 250, 300, 370, 400, 450, 500])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event of one user: few ids and items, so that duplicates, undos and repeats happen."""
    kind = draw(st.sampled_from([IMPRESSION, CLICK, VIEW, RATING, RATING, RATING, LIKE, DISLIKE, UNDO, FORGET_USER]))
    item_id = draw(st.integers(1, 9)) if kind < UNDO else -1
    return Event(
        draw(ids),
        kind,
        USER,
        item_id,
        draw(ratings) if kind == RATING else 0,
        draw(ids) if kind == UNDO else "",
        draw(times),
    )


@st.composite
def contributions(draw: st.DrawFn) -> Contribution:
    kind = draw(st.sampled_from([IMPRESSION, CLICK, VIEW, RATING, LIKE, DISLIKE]))
    return Contribution(
        3,
        draw(st.integers(0, 200 * DAY_MS)),
        kind,
        draw(ratings) if kind == RATING else 0,
        draw(st.sampled_from([1, 1, -1])),
    )
