"""The yardstick: it learns from what followed its lists, and from each row."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offline.datasets.dataset import Dataset
from offline.evaluation.methods.count_blend import CountBlend
from offline.evaluation.prequential import Lesson, prequential
from offline.evaluation.ranking_metrics import ranks_of
from tests.offline.drawn_events import drawn_events
from tests.offline.nothing_between_items import nothing_between_items
from tests.schemas import MOVIES

ROWS, FIRST = 900, 500


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Dataset, Path]:
    """Users who mostly go on with the item after the one before; nothing is known between items."""
    return drawn_events(tmp_path / "data", MOVIES, {"rating": 1.0}, ROWS), nothing_between_items(tmp_path)


def hits(drawn: tuple[Dataset, Path], lessons: Callable[[CountBlend], tuple[Lesson, ...]]) -> float:
    dataset, relations = drawn
    catalogue, blend = {item.item_id: item for item in dataset.items}, CountBlend(None)
    walked = prequential(dataset, catalogue, relations, MOVIES, FIRST, {"blend": blend}, 0, lessons(blend))
    return float((ranks_of(walked.lists["blend"], walked.queries.wanted) < 10).mean())


def test_counts_that_grow_with_each_row_find_what_follows(drawn: tuple[Dataset, Path]) -> None:
    without, learning = hits(drawn, lambda _: ()), hits(drawn, lambda blend: (blend.learn,))
    assert learning > without + 0.05


def test_weights_follow_the_answers(drawn: tuple[Dataset, Path]) -> None:
    """A blend that is never told an answer counts alone: it is no worse than nothing, and not as good as one that is."""

    def counting_alone(blend: CountBlend) -> tuple[Lesson, ...]:
        return (lambda row, item_row: blend.learn(row._replace(is_query=False), item_row),)

    assert hits(drawn, lambda blend: (blend.learn,)) > hits(drawn, counting_alone)
