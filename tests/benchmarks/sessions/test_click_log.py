"""Click sessions are read from files of several forms, in the order of time; what can't be read is named."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.sessions.click_log import Click, ClickLog, read_click_log
from features.errors import BadInput
from features.units import MINUTE_MS, SESSION_GAP_MS

ROWS = [("s1", "SKU-1", 1_000_000), ("s2", "7", 1_000_001), ("s1", "7", 1_000_060)]
"""Session, item, seconds."""


def rows_of(log: ClickLog) -> list[tuple[str, str, int, str]]:
    return [(log.user_ids[click.user], log.item_ids[click.item], click.ts, click.kind) for click in log]


EXPECTED = [(session, item, ts * 1000, "click") for session, item, ts in ROWS]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_any_of_three_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "clicks.csv"
    lines = [delimiter.join(("SessionId", "Item_ID", "Time")), *(delimiter.join(map(str, row)) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n")
    assert rows_of(read_click_log([path])) == EXPECTED


def test_ndjson_gzipped_and_parquet(tmp_path: Path) -> None:
    lines = [f'{{"session": "{session}", "item": "{item}", "ts": {ts}}}\n' for session, item, ts in ROWS]
    with gzip.open(tmp_path / "clicks.ndjson.gz", "wt") as file:
        file.writelines(lines)
    columns = dict(zip(("session", "item", "ts"), zip(*ROWS, strict=True), strict=True))
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), tmp_path / "clicks.parquet")
    for name in ("clicks.ndjson.gz", "clicks.parquet"):
        assert rows_of(read_click_log([tmp_path / name])) == EXPECTED


def test_a_folder_is_all_of_its_files_in_the_order_of_time(tmp_path: Path) -> None:
    for number, row in enumerate(reversed(ROWS)):
        (tmp_path / f"{number}.csv").write_text("session,item,ts\n" + ",".join(map(str, row)) + "\n")
    (tmp_path / "README.md").write_text("# not read")
    assert rows_of(read_click_log([tmp_path])) == EXPECTED


def test_sessions_without_a_column_end_with_silence(tmp_path: Path) -> None:
    gaps = [0, SESSION_GAP_MS, SESSION_GAP_MS + 1, MINUTE_MS]
    lines, ts = ["user_id,item_id,ts"], 1_700_000_000_000
    for gap in gaps:
        ts += gap
        lines.append(f"5,1,{ts}")
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(lines) + "\n")
    log = read_click_log([path])
    assert log.sessions.tolist() == [0, 0, 1, 1]
    assert log.users.tolist() == [0, 0, 0, 0]


def test_a_session_of_two_users_is_two(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user,session,item,ts,event\n1,a,1,5,view\n2,a,1,6,addtocart\n1,a,2,7,transaction\n")
    log = read_click_log([path])
    assert list(log) == [
        Click(0, 0, 0, "view", 5000),
        Click(1, 1, 0, "add_to_cart", 6000),
        Click(0, 0, 1, "purchase", 7000),
    ]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1700000000", 1_700_000_000_000),
        ("1700000000.25", 1_700_000_000_250),
        ("1700000000123", 1_700_000_000_123),
        ("1700000000123456", 1_700_000_000_123),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14 23:13:20+01:00", 1_700_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
    ],
)
def test_times_are_numbers_or_dates(tmp_path: Path, text: str, ms: int) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(f"user,item,ts\n1,1,{text}\n")
    assert read_click_log([path]).times.tolist() == [ms]


def test_the_cut_leaves_a_share_of_the_rows_before_it(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user,item,ts\n" + "".join(f"1,1,{second}\n" for second in range(10)))
    log = read_click_log([path])
    assert [int((log.times < log.cut(share)).sum()) for share in (0.1, 0.8, 0.99)] == [1, 8, 9]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "user,ts\n1,1\n", "columns item_id, ts, and session_id or user_id"),
        ("a.csv", "item,ts\n1,1\n", "columns item_id, ts, and session_id or user_id"),
        ("a.csv", "user,item,ts\n1,,1\n", "row 1: expected a value in item"),
        ("a.csv", "user,item,ts\n1,1,1\n,1,1\n", "row 2: expected a user or a session"),
        ("a.csv", "user,item,ts\n1,1,yesterday\n", "row 1: expected a time"),
        ("a.csv", "user,item,ts\n1,1,-4\n", "row 1: expected a time since 1970"),
        ("a.csv", "user,item,ts\n", "expected click sessions, got no row"),
        ("a.csv", "", "expected a header line"),
        ("a.ndjson", '{"user": 1', "expected a readable file of rows"),
        ("a.xlsx", "", "a file that ends in"),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read_click_log([path])
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_was_cut_off_or_is_something_else_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"user,item,ts\n" + b"".join(b"%d,1,1\n" % user for user in range(20_000)))
    files = {"cut.csv.gz": whole[: len(whole) // 2], "torn.csv.gz": whole[:40] + b"\xff" * 40, "a.parquet": b"PAR1 no"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=f"{name}: expected a readable file of rows"):
            read_click_log([tmp_path / name])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a readable file of rows"):
        read_click_log([tmp_path / "none.csv"])
