"""Samples are read whole, split by time, or refused by name."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import Broken
from features.inputs.input_maps import INPUTS_VERSION
from models.training.lessons.row_data import read_samples
from tests.models.synthetic_rows import GENRES, write_samples

ALL = ("userId", "movieId", "user", "item", "cross")

Make = Callable[[pa.ChunkedArray], pa.Array]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_samples(tmp_path, rows=400)
    return tmp_path


def change(folder: Path, name: str, make: Make) -> None:
    """Replace a column of the first file by what `make` makes of it."""
    path = folder / "samples" / "part-0.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, make(table[name])), path)


@pytest.mark.parametrize(("until", "to_ms"), [(None, 399_000), (-1, 399_000), (7_000, 7_000), (900_000, 399_000)])
def test_what_is_ahead_of_the_log_is_not_what_was_learned(folder: Path, until: int | None, to_ms: int) -> None:
    """An event may be a day ahead of the home's clock; lists of that day are shown later, and are new then."""
    path = folder / "meta.json"
    meta = json.loads(path.read_text())
    said = {} if until is None else {"until": until if until < 0 else 883_000_000_000 + until}
    path.write_text(json.dumps(meta | said))
    assert read_samples(folder, ALL).to_ms == 883_000_000_000 + to_ms


def test_the_newest_tenth_validates(folder: Path) -> None:
    samples = read_samples(folder, ALL)
    assert (len(samples.train), len(samples.validation)) == (360, 40)
    assert (samples.from_ms, samples.to_ms) == (883_000_000_000, 883_000_000_000 + 399_000)
    assert samples.dataset == "synthetic"
    assert samples.validation.inputs["item"].shape == (40, 8 + len(GENRES) + 1)
    assert samples.validation.inputs["item"].dtype == np.float32


def test_samples_of_other_inputs_are_refused(folder: Path) -> None:
    maps = json.loads((folder / "maps.json").read_text())
    (folder / "maps.json").write_text(json.dumps({**maps, "version": INPUTS_VERSION - 1}))
    with pytest.raises(Broken, match=f"inputs version {INPUTS_VERSION - 1}, this code makes {INPUTS_VERSION}"):
        read_samples(folder, ALL)


def test_only_what_is_asked_for_is_kept(folder: Path) -> None:
    samples = read_samples(folder, ("userId", "movieId"))
    assert samples.train.inputs.keys() == {"userId", "movieId"}


def test_how_rows_lie_in_files_does_not_matter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = tmp_path_factory.mktemp("again")
    write_samples(again, rows=400, files=5)
    one, other = (read_samples(path, ALL).train for path in (folder, again))
    for name in ALL:
        assert np.array_equal(one.inputs[name][one.order], other.inputs[name][other.order])


def test_rows_of_one_seq_stay_together(folder: Path) -> None:
    for file in range(2):
        path = folder / "samples" / f"part-{file}.parquet"
        table = pq.read_table(path)
        at = table.schema.get_field_index("seq")
        pq.write_table(table.set_column(at, "seq", pa.array(table["seq"].to_numpy() // 100)), path)
    samples = read_samples(folder, ALL)
    assert (len(samples.train), len(samples.validation)) == (300, 100)


def test_above_max_rows_the_oldest_go(folder: Path) -> None:
    samples = read_samples(folder, ALL, max_rows=100)
    assert (len(samples.train), len(samples.validation), samples.dropped) == (90, 10, 300)
    assert samples.from_ms == 883_000_000_000 + 300_000


def test_what_spark_leaves_lying_is_not_read(folder: Path) -> None:
    (folder / "samples" / "_temporary").mkdir()
    (folder / "samples" / "_temporary" / "part-9.parquet").write_bytes(b"half")
    (folder / "samples" / ".part-0.parquet").write_bytes(b"half")
    assert len(read_samples(folder, ALL).train) == 360


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("user", lambda c: pa.array([[1.0]] * len(c), pa.list_(pa.float32())), "expected lists of 19, got 1 to 1"),
        ("item", lambda c: pa.array([[np.nan] * 12] * len(c), pa.list_(pa.float32())), "not finite"),
        ("label", lambda c: pa.array([2.0] * len(c), pa.float32()), "from 0 to 1"),
        ("item_id", lambda c: pa.array([None] * len(c), pa.int64()), "column item_id has empty values"),
        ("seq", lambda c: pa.array([None] * len(c), pa.int64()), "column seq has empty values"),
    ],
)
def test_a_bad_column_is_named(folder: Path, name: str, make: Make, message: str) -> None:
    change(folder, name, make)
    with pytest.raises(Broken, match=rf"part-0\.parquet.*{message}"):
        read_samples(folder, ALL)


def test_a_cut_file_is_named(folder: Path) -> None:
    path = folder / "samples" / "part-1.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Broken, match=r"part-1\.parquet can't be read"):
        read_samples(folder, ALL)


def test_a_missing_column_is_named(folder: Path) -> None:
    path = folder / "samples" / "part-1.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["label"]), path)
    with pytest.raises(Broken, match=r"part-1\.parquet lacks the columns label"):
        read_samples(folder, ALL)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"maps\.json can't be read"):
        read_samples(tmp_path, ALL)


def test_one_class_is_not_enough(folder: Path) -> None:
    for file in range(2):
        path = folder / "samples" / f"part-{file}.parquet"
        table = pq.read_table(path)
        zeros = pa.array(np.zeros(len(table), np.float32))
        pq.write_table(table.set_column(table.schema.get_field_index("label"), "label", zeros), path)
    with pytest.raises(Broken, match="training part has 360 rows, 0 of them positive"):
        read_samples(folder, ALL)
