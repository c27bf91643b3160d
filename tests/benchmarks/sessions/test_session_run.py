"""A walk asks a home only for what it can't know."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.harness.job_progress import refuse_what_is_known
from benchmarks.sessions.click_log import ClickLog, read_click_log
from benchmarks.sessions.session_run import start_of_walk
from features.errors import BadInput
from features.types import Millis
from offline.datasets.dataset import cut_row, open_dataset
from tests.schemas import SHOP

ROWS, HOME = 400, Path("/home/shop")


def made_of(folder: Path, lines: list[str], share: float) -> tuple[ClickLog, Millis]:
    """A log of these lines, and the cut of a base that is made of a share of it."""
    (folder / "shop").mkdir()
    (folder / "shop" / "clicks.csv").write_text("user_id,item_id,timestamp,event\n" + "".join(lines))
    dataset = open_dataset(str(folder / "shop"), folder / "data", SHOP)
    times = pq.read_table(dataset.ratings, columns=["ts"])["ts"]
    return read_click_log([folder / "shop" / "clicks.csv"]), times[cut_row(dataset, share) - 1].as_py()


@pytest.mark.parametrize("at_once", [1, 2, 7, 25])
@pytest.mark.parametrize("again", [0, ROWS - 1, None])
@pytest.mark.parametrize("share", [0.5, 0.75, 0.8, 0.9])
def test_a_home_that_was_made_of_the_earlier_part_is_walked(
    tmp_path: Path, at_once: int, again: int | None, share: float
) -> None:
    """However many rows have one time, and where one comes 31 times, early or late, of which a data set has one."""
    seconds = [1_700_000_000 + 10 * (row // at_once) for row in range(ROWS)]
    lines = [f"{row % 40},{row % 99},{second},view\n" for row, second in enumerate(seconds)]
    log, cut = made_of(tmp_path, lines if again is None else lines + lines[again : again + 1] * 30, share)
    start = start_of_walk(log, share, cut)
    assert start in (log.cut(share), cut + 1)
    refuse_what_is_known(HOME, cut, start)
    with pytest.raises(BadInput, match="knows nothing of what comes from"):
        refuse_what_is_known(HOME, start, start)
    assert any(cut < click.ts >= start for click in log)


def test_a_home_that_was_made_of_all_is_refused(tmp_path: Path) -> None:
    lines = [f"{row % 40},{row % 99},{1_700_000_000 + row},view\n" for row in range(ROWS)]
    log, cut = made_of(tmp_path, lines, 1.0)
    with pytest.raises(BadInput, match="knows nothing of what comes from 2023-11-14 22:19:59 UTC on"):
        refuse_what_is_known(HOME, cut, start_of_walk(log, 0.8, cut))
