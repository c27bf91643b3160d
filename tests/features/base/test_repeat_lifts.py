"""Repeats: the lifts of items, by the time since they may be shown again."""

from pathlib import Path

import numpy as np
import pytest

from features.base.reader import read_repeats
from features.base.repeat_lifts import REPEAT_ARRAYS, SPANS, Repeats, span_ends, span_of
from features.errors import Broken
from features.units import DAY_MS, HOUR_MS

IDS = np.array([10, 20, 30])
OF_10, OF_30 = np.arange(1, SPANS + 1, dtype=np.float32), np.full(SPANS, 0.5, np.float32)


def test_each_item_has_the_lift_of_its_span() -> None:
    repeats = Repeats(np.array([30, 10, 20]), np.array([10, 30, 99]), np.r_[OF_10, OF_30, OF_10])
    ago = np.array([0, 0, HOUR_MS, 50 * DAY_MS, 0])
    assert repeats.lifts(np.array([1, 0, 1, 1, 2]), ago).tolist() == [1, 0.5, 2, SPANS, 1]


def test_nothing_is_known_of_rows_that_are_newer() -> None:
    repeats = Repeats(IDS, np.array([10]), OF_10 * 3)
    assert repeats.lifts(np.array([0, 3, 9]), np.zeros(3, np.int64)).tolist() == [3, 1, 1]
    assert Repeats.none().lifts(np.array([0, 9]), np.zeros(2, np.int64)).tolist() == [1, 1]
    assert Repeats(IDS, np.array([10]), OF_10).lifts(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


def test_spans_begin_where_the_one_before_ends_and_the_last_has_no_end() -> None:
    ends = span_ends()
    assert span_of(ends).tolist() == list(range(1, SPANS))
    assert span_of(ends - 1).tolist() == list(range(SPANS - 1))
    assert span_of(np.array([10**17])).tolist() == [SPANS - 1]


def test_they_are_read_from_a_folder_and_a_base_of_before_has_none(tmp_path: Path) -> None:
    folder, row, ago = tmp_path / "repeats", np.array([0]), np.array([0])
    assert read_repeats(folder, IDS).lifts(row, ago).tolist() == [1]
    folder.mkdir()
    for (name, kind), values in zip(REPEAT_ARRAYS.items(), ([10], OF_30), strict=True):
        np.save(folder / f"{name}.npy", np.array(values, kind))
    assert read_repeats(folder, IDS).lifts(row, ago).tolist() == [0.5]
    np.save(folder / "lifts.npy", OF_30[1:])
    with pytest.raises(Broken, match=f"1 items, {SPANS - 1} lifts, expected {SPANS} for each item"):
        read_repeats(folder, IDS)
    (folder / "lifts.npy").unlink()
    with pytest.raises(Broken, match=r"lifts\.npy can't be read"):
        read_repeats(folder, IDS)
