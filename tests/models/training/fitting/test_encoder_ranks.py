"""An encoder alone ranks lists by what came before them, and by the constants that it is given."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.training.lessons.list_data import RankingLists, read_ranking_lists
from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training.fitting.encoder_ranks import EncoderConstants, encoder_ranks  # noqa: E402
from tests.models.synthetic_lists import write_ranking_lists  # noqa: E402

pytestmark = pytest.mark.keras

FEW: EncoderConstants = EncoderConstants(passes=3)
"""A pass is one step of all windows."""


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Nothing is traced, which takes longer than so few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def few_lists(tmp_path_factory: pytest.TempPathFactory) -> RankingLists:
    folder = tmp_path_factory.mktemp("asks")
    write_ranking_lists(folder, users=20)
    return read_ranking_lists(folder)


@pytest.fixture(scope="module")
def ranks(few_lists: RankingLists) -> Any:
    return encoder_ranks(few_lists, FEW, 7)


def test_the_same_seed_ranks_alike_and_another_one_otherwise(few_lists: RankingLists, ranks: Any) -> None:
    assert len(ranks) == len(few_lists.train_lists) + len(few_lists.validation_lists)
    assert (encoder_ranks(few_lists, FEW, 7) == ranks).all()
    assert (encoder_ranks(few_lists, FEW, 8) != ranks).any()


def test_nothing_is_learned_of_what_the_lists_ask_for(few_lists: RankingLists, ranks: Any) -> None:
    histories = few_lists.histories
    assert histories is not None
    later = histories.seqs >= few_lists.first
    items = np.where(later, histories.items[::-1], histories.items)
    assert set(items) == set(histories.items), "the vocabulary is the same"
    changed = replace(few_lists, histories=replace(histories, items=items))
    assert (encoder_ranks(changed, FEW, 7) == ranks).all()


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("smoothing", 0.0),
        pytest.param("hidden", 0.0, marks=pytest.mark.soak),
        pytest.param("not_positive", 0.0, marks=pytest.mark.soak),
        pytest.param("batch", 24, marks=pytest.mark.soak),
        pytest.param("rate", 8e-3, marks=pytest.mark.soak),
        pytest.param("late_rate", 8e-3, marks=pytest.mark.soak),
        pytest.param("dropout", 0.3, marks=pytest.mark.soak),
        pytest.param("passes", 4, marks=pytest.mark.soak),
    ],
)
def test_each_constant_that_is_given_is_what_trains(
    few_lists: RankingLists, ranks: Any, constant: str, value: float
) -> None:
    changed: dict[str, Any] = {constant: value}
    assert (encoder_ranks(few_lists, replace(FEW, **changed), 7) != ranks).any()


def test_an_item_that_no_history_has_ranks_last(few_lists: RankingLists) -> None:
    lists = few_lists.validation_lists
    rows = np.arange(len(lists))
    others = np.where(np.arange(lists.items.shape[1]) == lists.answers[:, None], lists.items, 1_000_000)
    unknown = replace(few_lists, validation_lists=replace(lists, items=others))
    assert (encoder_ranks(unknown, FEW, 7)[-len(rows) :] == 0).all()
