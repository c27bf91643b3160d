"""The learner's files: which lists come again."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from infra.home.paths import Home
from infra.learning.learner_files import LearnerFiles
from infra.learning.learner_state import LearnerState
from offline.training_data.file_names import MAPS, META


def write_lists(folder: Path, **meta: object) -> None:
    (folder / "asks").mkdir(parents=True)
    (folder / "asks" / "part-0.parquet").touch()
    (folder / MAPS).touch()
    (folder / META).write_text(json.dumps(meta))


def test_lists_of_other_columns_do_not_come_again(tmp_path: Path) -> None:
    files = LearnerFiles(Home(tmp_path), "toy")
    write_lists(files.lists(1), layout="other", signals=6)
    write_lists(files.lists(2), layout="one")  # of before signals were noted
    write_lists(files.lists(3), layout="one", signals=5)
    write_lists(files.lists(4), layout="one", signals=6)
    new, whole = tmp_path / "new", tmp_path / "whole"
    write_lists(new, layout="one", signals=6)
    state = msgspec.structs.replace(LearnerState(model="toy"), replayed=(1, 2, 3, 4))
    files.replay(new, state, whole)
    assert {path.name for path in (whole / "asks").iterdir()} == {"new.parquet", "again-4.parquet"}


def test_lists_come_again_where_the_disk_has_no_second_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of some shares on a network."""

    def refused(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    files = LearnerFiles(Home(tmp_path), "toy")
    new, again, whole = tmp_path / "new", files.lists(1), tmp_path / "whole"
    for number, folder in enumerate((new, again)):
        write_lists(folder, layout="one", signals=6)
        (folder / "asks" / "part-0.parquet").write_bytes(b"%d" % number)
    files.replay(new, msgspec.structs.replace(LearnerState(model="toy"), replayed=(1,)), whole)
    assert {path.name: path.read_bytes() for path in (whole / "asks").iterdir()} == {
        "new.parquet": b"0",
        "again-1.parquet": b"1",
    }
