"""What is exported is taken again: the same events of each kind, the same items."""

from collections import Counter
from pathlib import Path

import pytest

from examples.shop import draw_shop
from features.errors import BadInput
from features.schema.tables import read_schema
from offline.datasets.dataset import event_of, open_dataset, whole_rows
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise
from offline.export_home import FORMATS, Format, export_home
from tests.schemas import SHOP


@pytest.mark.parametrize("form", FORMATS)
def test_a_round_trip(tmp_path: Path, form: Format) -> None:
    draw_shop(tmp_path / "shop", users=80, items=50, seed=5)
    first = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    events = [event_of("shop", *row) for row in whole_rows(first, 0, first.rows)]
    kinds, items = export_home(events, first.items, SHOP, tmp_path / "again", form)
    assert (kinds, items) == (Counter(SHOP.kind(event.kind).name for event in events), 50)
    proposal = propose(recognise([tmp_path / "again"]))
    assert proposal.kinds == kinds
    assert proposal.doubts == ()
    schema = read_schema(proposal.schema, "schema.toml")
    second = open_dataset(str(tmp_path / "again"), tmp_path / "data", schema)
    assert second.items == first.items
    assert list(whole_rows(second, 0, second.rows)) == list(whole_rows(first, 0, first.rows))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(BadInput, match="--to: expected a new or empty folder"):
        export_home([], [], SHOP, tmp_path, "parquet")
    kinds, items = export_home([], [], SHOP, tmp_path / "new", "ndjson")
    assert (kinds, items) == (Counter(), 0)
