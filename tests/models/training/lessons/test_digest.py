"""Lessons of equal digests teach the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.training.lessons.digest import digest_of
from models.training.lessons.list_data import RankingLists, read_ranking_lists
from models.training.lessons.row_data import Samples, read_samples
from tests.models.synthetic_lists import write_ranking_lists
from tests.models.synthetic_rows import write_samples


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RankingLists]:
    folder = tmp_path_factory.mktemp("asks")
    write_ranking_lists(folder, users=20)
    return folder, read_ranking_lists(folder)


def test_what_is_read_again_has_the_same(lists: tuple[Path, RankingLists], tmp_path: Path) -> None:
    folder, read = lists
    assert digest_of(read_ranking_lists(folder)) == digest_of(read)
    write_samples(tmp_path)
    one, other = (read_samples(tmp_path, ("user", "item", "cross")) for _ in range(2))
    assert digest_of(one) == digest_of(other)


def without_last_event(lists: RankingLists) -> RankingLists:
    assert lists.histories is not None
    old = lists.histories
    cut = {name: getattr(old, name)[:-1] for name in ("seqs", "items", "marks", "times", "importances")}
    return replace(lists, histories=replace(old, **cut, starts=np.r_[old.starts[:-1], old.starts[-1] - 1]))


def with_another_answer(lists: RankingLists) -> RankingLists:
    answers = lists.validation_lists.answers.copy()
    answers[-1] = 1 - min(answers[-1], 1)
    return replace(lists, validation_lists=replace(lists.validation_lists, answers=answers))


@pytest.mark.parametrize(
    "change",
    [
        without_last_event,
        with_another_answer,
        lambda lists: replace(lists, train_lists=lists.train_lists.part(slice(1, None))),
        lambda lists: replace(lists, histories=None),
        lambda lists: replace(lists, schema="another"),
    ],
)
def test_other_lists_have_another(lists: tuple[Path, RankingLists], change: Callable[[RankingLists], Any]) -> None:
    assert digest_of(change(lists[1])) != digest_of(lists[1])


def test_other_rows_have_another(tmp_path: Path) -> None:
    write_samples(tmp_path)
    read: Samples = read_samples(tmp_path, ("user", "item", "cross"))
    before = digest_of(read)
    read.train.labels[0] = 1 - read.train.labels[0]
    assert digest_of(read) != before
