"""Data sets come out alike, whatever they were written in."""

import random
import shutil
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from features.contracts.events import read_event, write_event
from features.errors import BadInput
from features.types import RATING
from offline.datasets.dataset import Dataset, cut_row, event_id, event_of, open_dataset, row_at, rows_between, ts_of_row
from offline.datasets.event_history import tie_hash
from tests.offline.conftest import Row
from tests.schemas import MOVIES, film

Write = Callable[..., Path]


def rows_of(dataset: Dataset) -> list[tuple[int, int, float, int]]:
    """(user, item, rating, ts) of all rows, which are ratings."""
    rows = [row for batch in rows_between(dataset, 0, dataset.rows) for row in batch.to_pylist()]
    assert {row["kind"] for row in rows} == {RATING}
    return [(row["user_id"], row["item_id"], row["centi"] / 100, row["ts"]) for row in rows]


def test_the_installed_ml_100k(tmp_path: Path) -> None:
    dataset = open_dataset("ml-100k", tmp_path)
    assert (dataset.name, dataset.rows, len(dataset.items)) == ("ml-100k", 100_000, 1682)
    assert (dataset.rejected, dataset.duplicates) == (0, 0)
    assert dataset.items[0] == film(1, "Toy Story", ("Animation", "Children's", "Comedy"), 1995)
    assert dataset.items[266] == film(267, "unkonwn", (), 0)
    rows = rows_of(dataset)
    assert [ts for *_, ts in rows] == sorted(ts for *_, ts in rows)
    by_second = (list(group) for _, group in groupby(rows, key=lambda row: row[3]))
    pairs = [(first, second) for each in by_second for first, second in pairwise(each) if first[0] == second[0]]
    upwards = [first[1] < second[1] for first, second in pairs]
    assert len(upwards) > 50_000
    assert 0.49 < sum(upwards) / len(upwards) < 0.51, "the order of ids, or its reverse, can be learned"
    assert (dataset.first_ts, dataset.last_ts) == (rows[0][3], rows[-1][3]) == (874724710000, 893286638000)


def test_csv_and_parquet_are_the_same(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    shuffled = list(some_rows)
    random.Random(1).shuffle(shuffled)
    folder = write_folder(shuffled)
    from_csv = open_dataset(str(folder), tmp_path / "a")
    columnar = tmp_path / "columnar" / "mine"
    columnar.mkdir(parents=True)
    for name in ("ratings", "movies"):
        pq.write_table(pacsv.read_csv(folder / f"{name}.csv"), columnar / f"{name}.parquet")
    from_parquet = open_dataset(str(columnar), tmp_path / "b")
    assert from_csv.items == from_parquet.items
    assert rows_of(from_csv) == rows_of(from_parquet) == [(u, i, r, ts * 1000) for u, i, r, ts in some_rows]
    assert from_csv.items[4] == film(5, "Fawlty Towers", ("Comedy",), 1975)
    assert from_csv.items[3] == film(4, "Nothing Known", (), 0)
    assert from_csv.items[5] == film(6, "Seven (a.k.a. Se7en)", (), 1995)


def test_dat_files(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "ratings.dat").write_text(
        "2::1::5::978300760\n1::2::3::978300000\nbroken\n" + "1::1::4::978300001\n" * 20
    )
    (folder / "movies.dat").write_bytes(
        "1::Amélie: the film (2001)::Comedy|Romance\n2::Heat (1995)::Action\n".encode("latin-1")
    )
    dataset = open_dataset(str(folder), tmp_path / "data")
    assert dataset.items[0] == film(1, "Amélie: the film", ("Comedy", "Romance"), 2001)
    assert rows_of(dataset) == [
        (1, 2, 3.0, 978300000000),
        (1, 1, 4.0, 978300001000),
        (2, 1, 5.0, 978300760000),
    ]
    assert (dataset.rejected, dataset.duplicates) == (1, 19)


def test_parquet_of_other_types(tmp_path: Path, write_folder: Write) -> None:
    folder = write_folder([])
    (folder / "ratings.csv").unlink()
    many = 30
    table = pa.table(
        {
            "rating": pa.array([4.5] * many + [float("nan")], pa.float32()),
            "userId": pa.array([*map(float, range(many)), 1.5]),
            "timestamp": pa.array([978300760_999] * (many + 1), pa.timestamp("ms")),
            "movieId": pa.array([1] * (many + 1), pa.uint64()),
        }
    )
    pq.write_table(table, folder / "ratings.parquet")
    dataset = open_dataset(str(folder), tmp_path / "data")
    assert sorted(rows_of(dataset))[0] == (0, 1, 4.5, 978300760000)
    assert (dataset.rows, dataset.rejected) == (many, 1)


def test_the_order_within_a_second_is_the_same_on_every_machine_and_another_in_each_second() -> None:
    users, items = np.repeat(np.array([7, 2**62]), 3), np.tile(np.array([1, 2, 3]), 2)
    first = tie_hash(users, items, np.full(6, 900_000_000))
    assert np.argsort(first).tolist() == [2, 1, 3, 4, 0, 5]
    orders = {tuple(np.argsort(tie_hash(users, items, np.full(6, second)))) for second in range(20)}
    assert len(orders) > 15


BAD_LINES = [
    "1,2,0.4,900000000",
    "1,2,5.1,900000000",
    "1,2,nan,900000000",
    "1,2,,900000000",
    "1,2,good,900000000",
    "-1,2,3,900000000",
    "9223372036854775808,2,3,900000000",
    "1.5,2,3,900000000",
    "x,2,3,900000000",
    "1,2,3,-5",
    "1,2,3,99999999999",
    "1,2,3,yesterday",
    "1,2,3",
    "1,2,3,900000000,extra",
]


@pytest.mark.parametrize("bad", [BAD_LINES, BAD_LINES[:3], BAD_LINES[-2:]])
def test_bad_lines_are_left_out_and_shown(
    tmp_path: Path, some_rows: list[Row], write_folder: Write, bad: list[str]
) -> None:
    folder = write_folder([*some_rows, (9223372036854775807, 2, 3.0, 900000000)])
    with (folder / "ratings.csv").open("a") as file:
        file.write("\n".join(bad) + "\n")
    dataset = open_dataset(str(folder), tmp_path / "data")
    assert (dataset.rows, dataset.rejected) == (len(some_rows) + 1, len(bad))
    lines = (tmp_path / "data" / "rejected-lines.txt").read_text().splitlines()
    assert {line.rsplit("\t", 1)[1].rstrip(",") for line in lines[1:]} >= {bad[0], bad[-1]}
    assert lines[0].startswith(f"# {len(bad)} lines rejected")
    assert len(lines) == len(bad) + 1


def test_too_many_bad_lines_are_refused(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    folder = write_folder(some_rows[:50])
    with (folder / "ratings.csv").open("a") as file:
        file.write("1,2,9,900000000\n" * 6)
    with pytest.raises(BadInput, match="expected at most 10% bad lines, got 6 of 56"):
        open_dataset(str(folder), tmp_path / "data")
    assert (tmp_path / "data" / "rejected-lines.txt").exists()


def test_exact_repetitions_count_once(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    user, item, _, ts = some_rows[7]
    dataset = open_dataset(str(write_folder([*some_rows, *some_rows[:9], (user, item, 0.5, ts)])), tmp_path / "data")
    assert (dataset.rows, dataset.duplicates) == (len(some_rows), 10)
    assert rows_of(dataset) == [(u, i, r, at * 1000) for u, i, r, at in some_rows]


def test_what_is_no_data_set(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    data = tmp_path / "data"
    with pytest.raises(BadInput, match="a folder, none, or one of ml-100k"):
        open_dataset("ml-999", data)
    folder = write_folder(some_rows)
    (folder / "movies.csv").write_text("movieId,title\n1,Heat\n")
    with pytest.raises(BadInput, match="the columns movieId,title,genres, got movieId,title"):
        open_dataset(str(folder), data)
    write_folder([])
    with pytest.raises(BadInput, match="at least one rating, got none"):
        open_dataset(str(folder), data)
    (folder / "ratings.csv").write_text("")
    with pytest.raises(BadInput, match=r"files of events .* got .*ratings.csv: no column of user, item, time"):
        open_dataset(str(folder), data)
    (folder / "ratings.csv").unlink()
    (folder / "ratings.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(BadInput, match=r"ratings.parquet: expected a readable file"):
        open_dataset(str(folder), data)


def test_what_was_taken_stays_whatever_becomes_of_the_files(
    tmp_path: Path, some_rows: list[Row], write_folder: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(some_rows)
    first = open_dataset(str(folder), tmp_path / "data")
    made = first.ratings.stat().st_mtime_ns
    assert open_dataset(str(folder), tmp_path / "data") == first
    assert first.ratings.stat().st_mtime_ns == made
    assert capsys.readouterr().out == ""
    write_folder(some_rows[:100])
    assert open_dataset(str(folder), tmp_path / "data") == first
    assert "ratings.csv has changed; what was taken from it stays" in capsys.readouterr().out
    shutil.rmtree(folder)
    assert open_dataset(str(folder), tmp_path / "data") == first
    other = write_folder(some_rows[:100]).rename(tmp_path / "mine")
    with pytest.raises(BadInput, match="a folder of another name than mine, which was taken from"):
        open_dataset(str(other), tmp_path / "data")


def test_rows_and_cuts(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    whole = rows_of(dataset)
    part = [row["ts"] for batch in rows_between(dataset, 13, 77, 10) for row in batch.to_pylist()]
    assert part == [ts for *_, ts in whole[13:77]]
    assert list(rows_between(dataset, 500, 600)) == list(rows_between(dataset, 5, 5)) == []
    assert (cut_row(dataset, 0), cut_row(dataset, 1)) == (0, dataset.rows)
    assert cut_row(dataset, 0.8) == int(dataset.rows * 0.8)
    assert ts_of_row(dataset, 12) == whole[12][3]
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadInput, match="a share from 0 to 1"):
            cut_row(dataset, share)


def test_the_first_row_at_or_after_a_time(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    times = [row[3] for row in rows_of(dataset)]
    for ts in (0, times[0], times[0] + 1, times[200], times[200] - 1, times[-1]):
        assert row_at(dataset, ts) == next(row for row, each in enumerate(times) if each >= ts)
    assert row_at(dataset, times[-1] + 1) == dataset.rows


def test_events_are_valid_and_their_ids_stable() -> None:
    event = event_of("ml-100k", 196, 242, RATING, 350, 881250949000)
    assert (event.event_id, event.kind, event.centi) == ("ml-100k:196:242:881250949", RATING, 350)
    assert read_event(write_event(event, MOVIES), MOVIES) == event
    long = event_id("a data set with quite a long name", 2**63 - 1, 2**63 - 1, 881250949000)
    assert long == event_id("a data set with quite a long name", 2**63 - 1, 2**63 - 1, 881250949000)
    assert len(long) <= 64
    assert long != event_id("a data set with quite a long name", 2**63 - 1, 2**63 - 2, 881250949000)
