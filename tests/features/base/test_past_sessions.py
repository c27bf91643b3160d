"""Past sessions: what the sessions most like one speak for."""

from pathlib import Path

import numpy as np
import pytest

from features.arrays import FloatArray, IntArray
from features.base.past_sessions import SESSION_ARRAYS, PastSessions
from features.base.reader import read_past_sessions
from features.errors import Broken
from tests.features.dense import dense

IDS = np.array([10, 20, 30, 40, 50])


def sessions(*of: list[int], rows: IntArray = IDS) -> PastSessions:
    """Sessions of items, by id, the oldest first: they ended at 1, 2 …"""
    ids, members = np.unique(np.concatenate(of), return_inverse=True)
    ends = np.arange(1, len(of) + 1)
    return PastSessions(rows, ids, ends, np.r_[0, np.cumsum([len(each) for each in of])], members)


def spread(past: PastSessions, session: IntArray, began: int, size: int) -> FloatArray:
    return dense(past.spread(session, began, np.ones(size, bool)), size)


def test_likeness_counts_positions_and_gain_how_long_ago_an_item_was_shared() -> None:
    past = sessions([10, 20, 30], [20, 40])
    found = spread(past, np.array([0, 1]), 9, 5)  # items 10 and 20; likeness 3 and 2, both share the newest
    assert found.tolist() == [3, 5, 3, 2, 0]
    found = spread(past, np.array([1, 0]), 9, 5)  # the second shares the older alone: 1 over 2
    assert found.tolist() == [3, 3.5, 3, 0.5, 0]


def test_an_item_that_comes_again_has_its_newest_position() -> None:
    assert spread(sessions([10, 30], [20, 40]), np.array([0, 1, 0]), 9, 5).tolist() == [3, 1, 3, 1, 0]


def test_what_has_no_row_is_left_out_and_newer_rows_are_in_no_session() -> None:
    past = sessions([10, 30, 99], [77, 99], rows=np.array([30, 10]))
    assert spread(past, np.array([1]), 9, 3).tolist() == [1, 1, 0]
    assert spread(past, np.array([2]), 9, 3).tolist() == [0, 0, 0]
    assert spread(past, np.array([], np.int64), 9, 3).tolist() == [0, 0, 0]


def test_they_are_read_from_a_folder_and_a_base_of_before_has_none(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    assert spread(read_past_sessions(folder, IDS), np.array([0]), 9, 5).tolist() == [0] * 5
    folder.mkdir()
    for (name, kind), values in zip(SESSION_ARRAYS.items(), ([10, 30], [1], [0, 2], [0, 1]), strict=True):
        np.save(folder / f"{name}.npy", np.array(values, kind))
    assert spread(read_past_sessions(folder, IDS), np.array([0]), 9, 5).tolist() == [1, 0, 1, 0, 0]
    (folder / "ends.npy").unlink()
    with pytest.raises(Broken, match=r"ends\.npy can't be read"):
        read_past_sessions(folder, IDS)


def test_no_sessions_say_nothing() -> None:
    assert spread(PastSessions.none(), np.array([0, 1]), 9, 2).tolist() == [0, 0]
    assert spread(sessions([10, 30], rows=np.array([], np.int64)), np.array([0]), 9, 1).tolist() == [0]


def test_only_sessions_that_were_over_are_compared() -> None:
    """So the session going on is not its own neighbour, once a base has it."""
    past = sessions([10, 20], [10, 30])
    assert spread(past, np.array([0]), 3, 5).tolist() == [2, 1, 1, 0, 0]
    assert spread(past, np.array([0]), 2, 5).tolist() == [1, 1, 0, 0, 0]
    assert spread(past, np.array([0]), 1, 5).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("starts", "members"),
    [([0, 3], [0, 1]), ([], []), ([0, 2], [0, 2]), ([0, 2], [0, -1]), ([1, 2], [0, 1]), ([0, 1, 2], [0, 1])],
    ids=["cut", "empty", "another item", "a negative item", "not from the first on", "more starts than ends"],
)
def test_arrays_that_do_not_fit_together_are_refused(starts: list[int], members: list[int]) -> None:
    with pytest.raises(Broken, match="sessions: 2 items"):
        PastSessions(IDS, IDS[:2], np.array([5]), np.array(starts, np.int64), np.array(members, np.int64))
