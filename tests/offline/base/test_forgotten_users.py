"""A data set without what users did before they wanted to be forgotten."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from features.errors import Broken
from features.schema.tables import preset_schema
from offline.base.forgotten_users import EVER, FILE, ForgottenUsers, forgotten_of, open_left
from offline.base.log_dataset import happened
from offline.datasets.dataset import Dataset, keep_dataset, open_dataset, whole_rows
from offline.datasets.user_profiles import PROFILES, read_profiles, write_profiles
from tests.offline.conftest import Row
from tests.schemas import peopled

Write = Callable[..., Path]
SCHEMA = preset_schema()


def forget(data_dir: Path, *users: tuple[int | str, int]) -> None:
    (data_dir / FILE).write_bytes(msgspec.json.encode(ForgottenUsers({0: 1}, users)))


def rows_of(dataset: Dataset, rows: int) -> list[tuple[int, ...]]:
    return [row[:5] for row in whole_rows(dataset, 0, rows)]


def test_the_rows_of_forgotten_users_are_left_out_up_to_their_wish(
    tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    data = tmp_path / "data"
    whole = open_dataset(str(write_folder(some_rows)), data)
    rows = rows_of(whole, whole.rows)
    one, other = rows[3][0], next(row[0] for row in rows if row[0] != rows[3][0])
    until = rows[len(rows) // 2][4]
    forget(data, (one, EVER), (other, until), (987_654, EVER))
    left = open_left("mine", data, SCHEMA)
    expected = [row for row in rows if row[0] != one and not (row[0] == other and row[4] <= until)]
    assert 0 < len(expected) < len(rows)
    assert rows_of(left, len(rows)) == expected
    assert (left.rows, left.first_ts, left.last_ts) == (whole.rows, whole.first_ts, whole.last_ts)
    for count in (0, 1, len(rows) // 3, len(rows)):
        assert rows_of(left, left.left(count)) == [row for row in rows[:count] if row in expected]
    assert rows_of(open_dataset("mine", data), whole.rows) == rows, "the whole data set is as it was"


def test_nothing_is_written_where_nobody_is_forgotten(
    tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    data = tmp_path / "data"
    whole = open_dataset(str(write_folder(some_rows)), data)
    files = sorted(data.rglob("*"))
    assert open_left("mine", data, SCHEMA) == whole
    assert sorted(data.rglob("*")) == files
    forget(data, (987_654, EVER))
    assert open_left("mine", data, SCHEMA) == whole
    assert forgotten_of(data / "mine", SCHEMA) == ""


def test_a_further_wish_is_another_file_and_the_one_before_goes(
    tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    data = tmp_path / "data"
    users = sorted({row[0] for row in some_rows})
    open_dataset(str(write_folder(some_rows)), data)
    digests = []
    for count in (1, 2):
        forget(data, *((user, EVER) for user in users[:count]))
        left = open_left("mine", data, SCHEMA)
        assert {row[0] for row in whole_rows(left, 0, left.left(left.rows))} == {*users[count:]}
        assert list((data / "mine").glob("left-*")) == [left.ratings]
        digests.append(forgotten_of(data / "mine", SCHEMA))
    assert digests[0] != digests[1]


def test_where_the_rows_are_made_anew_so_is_what_is_left_of_them(
    tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    data = tmp_path / "data"
    open_dataset(str(write_folder(some_rows)), data)
    forget(data, (some_rows[0][0], EVER))
    written = []
    for schema in (SCHEMA, SCHEMA, SCHEMA.salted("00" * 16)):
        left = open_left("mine", data, schema)
        assert some_rows[0][0] not in {row[0] for row in rows_of(left, left.left(left.rows))}
        written.append(left.ratings.stat().st_mtime_ns)
    assert written[0] == written[1] != written[2]


def test_a_broken_file_names_itself(tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    (tmp_path / "data" / FILE).write_text("{")
    with pytest.raises(Broken, match=r"forgotten\.json: expected users who are forgotten"):
        open_left("mine", tmp_path / "data", SCHEMA)


def test_what_is_known_of_who_is_forgotten_is_deleted_but_what_they_told_since_then(
    tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """Files say what was so before; the log's data set knows what was told until it was made."""
    data, schema = tmp_path / "data", peopled("movies")
    plans = [(user, f'{{"plan":"{user}"}}') for user in (1, 2, 3)]
    dataset = open_dataset(str(write_folder(some_rows)), data, schema)
    write_profiles(plans, dataset.ratings.parent / PROFILES)
    keep_dataset("log-2", data, happened([], schema), [], {}, plans, known_until=1_000)
    forget(data, (1, 1_000), (2, 1_001))
    for name, left in (("mine", {3}), ("log-2", {1, 3})):
        opened = open_left(name if name == "mine" else str(data / name), data, schema)
        assert read_profiles(opened, schema).keys() == left
        assert len(pq.read_table(data / name / PROFILES)) == len(left)
