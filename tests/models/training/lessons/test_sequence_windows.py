"""Histories as windows: each event follows once, and only the order within a second is drawn."""

from dataclasses import replace

import numpy as np

from features.inputs.history import LENGTH
from models.training.lessons.sequence_windows import NOT_POSITIVE, TAUGHT, WindowedHistories
from tests.models.synthetic_histories import histories, importance

RNG = np.random.default_rng(1)


def test_every_event_follows_once_after_what_was_before_it() -> None:
    past = histories(1, 7, 55)
    made = WindowedHistories(past, 10**9, 10**9).drawn(RNG)
    following = made.following[made.weights > 0]
    assert not made.weights[:, :-TAUGHT].any()
    assert sorted(following.tolist()) == past.items.tolist()
    starts = set((past.starts[:-1] + 100).tolist())
    for row, position in zip(*np.nonzero(made.weights), strict=True):
        item, before = int(made.following[row, position]), int(made.items[row, position])
        assert before == (-1 if item in starts else item - 1)
        assert made.weights[row, position] == (importance(np.array(item - 100)) or np.float32(NOT_POSITIVE))
        assert made.gaps[row, position + 1] == (0 if before == -1 else 2)  # a second
        filled = (made.items[row, : position + 1] >= 0).sum()
        whole = item - 100 - max(start for start in past.starts.tolist() if start <= item - 100)
        assert filled >= min(whole, LENGTH - TAUGHT)


def test_only_rows_before_the_first_ask_teach_and_only_the_newest_of_many() -> None:
    past = histories(30, 30)
    made = WindowedHistories(past, 40, 10**9).drawn(RNG)
    assert made.following.max() == 139
    few = WindowedHistories(past, 10**9, 12).drawn(RNG)
    assert few.following[few.weights > 0].min() >= 140
    assert len(WindowedHistories(past, 0, 10)) == 0


def test_what_a_user_did_in_one_second_is_drawn_in_another_order_each_time_and_nothing_else_moves() -> None:
    past = histories(40, 8)
    pages = replace(past, times=np.array([0] * 30 + [9000] * 18), seqs=np.r_[0:40, 20:28])
    windowed = WindowedHistories(pages, 25, 10**9)
    drawn = [windowed.drawn(RNG) for _ in range(20)]
    orders = {tuple(made.following[made.weights > 0].tolist()) for made in drawn}
    assert len(orders) == 20
    for made in drawn:
        followed = made.following[made.weights > 0]
        assert sorted(followed[:25].tolist()) == past.items[:25].tolist()  # nothing from row 25 on comes into the past
        assert sorted(followed[25:].tolist()) == past.items[40:45].tolist()  # another user in the same second
        assert (made.gaps == drawn[0].gaps).all()
        numbers = followed - 100
        assert (made.weights[made.weights > 0] == np.maximum(importance(numbers), np.float32(NOT_POSITIVE))).all()
        assert (made.marks[made.items >= 0] == (made.items[made.items >= 0] - 100) % 10 + 1).all()
