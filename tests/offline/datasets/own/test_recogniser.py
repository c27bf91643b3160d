"""Files are recognised by their columns, and by their names where these leave it open."""

import os
from pathlib import Path

import pytest

from features.errors import BadInput
from offline.datasets.own.description import EventFile, ItemFile, UserFile
from offline.datasets.own.recogniser import recognise


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, header in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(header + "\n")
    return folder


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("user_id,item_id,timestamp,type,value", ("user_id", "item_id", "timestamp", "type")),
        ("timestamp,visitorid,event,itemid,transactionid", ("visitorid", "itemid", "timestamp", "event")),
        (
            "event_time\tevent_type\tproduct_id\tcategory_id\tuser_id",
            ("user_id", "product_id", "event_time", "event_type"),
        ),
        ("userId;movieId;ts;behavior", ("userId", "movieId", "ts", "behavior")),
        ("User,Item,Time,Action", ("User", "Item", "Time", "Action")),
    ],
)
def test_columns_go_by_many_names(tmp_path: Path, header: str, columns: tuple[str, str, str, str]) -> None:
    path = write(tmp_path / "shop", log_csv=header) / "log.csv"
    assert recognise([path]).description.events == (EventFile(str(path), *columns),)


def test_a_folder_of_events_items_and_users(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "shop",
        events_csv="user_id,item_id,timestamp,type",
        products_tsv="sku\tname\tbrand",
        users_csv="user_id,age",
        notes_txt="what,ever",
    )
    (folder / "events.xlsx").write_text("")
    (folder / ".hidden").write_text("")
    (folder / "older").mkdir()
    found = recognise([folder])
    assert found.description.name == "shop"
    assert [Path(each.file).name for each in found.description.events] == ["events.csv"]
    assert found.description.items == (ItemFile(str(folder / "products.tsv"), "sku", "name"),)
    assert found.description.users == (UserFile(str(folder / "users.csv"), "user_id"),)
    assert [(path.name, why) for path, why in found.ignored] == [
        ("notes.txt", "no column of user, item, time among what, ever"),
        ("events.xlsx", "no file of .csv, .tsv, .txt, .ndjson, .jsonl, .json, .parquet"),
        ("older", "a folder"),
    ]


def test_a_file_without_kinds_is_of_one_kind(tmp_path: Path) -> None:
    header = "user_id,item_id,timestamp"
    folder = write(
        tmp_path / "mixed",
        purchases_csv=header,
        views_csv=header,
        log_csv=header,
        stars_csv=f"{header},rating",
    )
    kinds = {Path(each.file).stem: each.every for each in recognise([folder]).description.events}
    assert kinds == {"purchases": "purchase", "views": "view", "log": "click", "stars": "rating"}


def test_what_holds_neither_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", notes_csv="what,ever", events_csv="user_id,item_id,type")
    with pytest.raises(BadInput, match=r"files of events .* got events\.csv: no column of time among user_id, item_id"):
        recognise([folder])
    with pytest.raises(BadInput, match="expected a file or a folder"):
        recognise([tmp_path / "nowhere"])
    (tmp_path / "a.xlsx").write_text("")
    with pytest.raises(BadInput, match=r"a file of \.csv, .*got \.xlsx"):
        recognise([tmp_path / "a.xlsx"])


def test_a_folder_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0)
    user = os.geteuid()
    try:
        if user == 0:  # who may read all
            os.seteuid(65_534)
        with pytest.raises(
            BadInput, match=r"--from: expected a file or a folder that can be read, got .*mine: Permission"
        ):
            recognise([folder])
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
