"""What Spark says of a row is what the columns on the driver say, and what the fold does."""

from pathlib import Path
from typing import Any

import pytest

from features.schema.tables import Schema, preset_schema, read_schema
from features.types import RATING
from offline.datasets.dataset import open_dataset, whole_rows
from offline.datasets.event_rows import mean_weight, row_weights
from offline.spark.weighted_events import weighted_events
from tests.offline.drawn_events import drawn_events
from tests.schemas import MOVIES, SHOP

pytestmark = pytest.mark.spark

OWN = read_schema(
    """
[events.impression]
[events.click]
click = true
[events.glance]
weight = -0.5
repeats = false
[events.read]
value = "seconds"
weights = [[1, -0.3], [3, 0.0], [4.5, 0.7]]
repeats = false
[events.share]
weight = 1.0
""",
    "own",
)
EVEN = 1 / 6


@pytest.mark.parametrize(
    ("schema", "shares"),
    [
        (MOVIES, {"rating": 0.7, "click": 0.1, "view": 0.1, "like": 0.1}),
        (SHOP, dict.fromkeys(("impression", "view", "click", "rating", "purchase", "remove_from_cart"), EVEN)),
        (preset_schema("news"), {"impression": 0.2, "view": 0.3, "read": 0.3, "dislike": 0.2}),
        (OWN, {"impression": 0.2, "click": 0.2, "glance": 0.2, "read": 0.3, "share": 0.1}),
    ],
)
def test_weights_are_equal_on_both_sides_and_labels_follow(
    spark: Any, tmp_path: Path, schema: Schema, shares: dict[str, float]
) -> None:
    dataset = drawn_events(tmp_path / "data", schema, shares, rows=1_500)
    weights = row_weights(dataset, 1_200, schema).tolist()
    frame = weighted_events(spark, dataset, 1_200, schema).orderBy("seq").collect()
    assert [row.seq for row in frame] == list(range(1_200))
    assert [row.weight for row in frame] == weights
    rows = [(row.user_id, row.item_id, row.kind, row.centi, row.ts) for row in frame]
    assert rows == [row[:5] for row in whole_rows(dataset, 0, 1_200)]
    for row in frame:
        plain = schema.weight(row.kind, row.centi)
        assert row.weight in (plain, 0)
        is_repeat = row.weight != plain
        graded = len(schema.kind(row.kind).steps) > 1
        if row.weight > 0:
            assert row.label == 1
        elif row.weight < 0:
            assert row.label == 0
        elif is_repeat or not graded:
            assert row.label is None
    assert {row.label for row in frame} == {0, 1, None}
    assert any(row.label == 0 and row.weight == 0 for row in frame) == (schema is not preset_schema("news"))
    assert mean_weight(row_weights(dataset, 1_200, schema)) == pytest.approx(
        sum(weight for weight in weights if weight > 0) / sum(weight > 0 for weight in weights)
    )


def test_rows_without_a_kind_are_ratings(spark: Any, tmp_path: Path, some_rows: Any, write_folder: Any) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    frame = weighted_events(spark, dataset, 300, MOVIES).orderBy("seq").collect()
    assert [(row.kind, row.centi) for row in frame] == [(RATING, round(row[2] * 100)) for row in some_rows[:300]]
    assert [row.label for row in frame] == [int(row[2] >= 4) for row in some_rows[:300]]
    assert [row.weight > 0 for row in frame] == [row[2] >= 4 for row in some_rows[:300]]
    assert (row_weights(dataset, 300, MOVIES) > 0).tolist() == [row[2] >= 4 for row in some_rows[:300]]
