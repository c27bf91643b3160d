"""Training data of a home: whether it is there, and of the inputs that this code makes."""

import json
from pathlib import Path

import pytest

from features.base.mapped_table import table_parts
from features.base.reader import CATALOGUE, ITEMS, MANIFEST, PAIRS, USERS
from features.inputs.columns import INPUTS_VERSION
from infra.home.paths import Home
from infra.offline_jobs.runner import has_training_data, ranking_lists_folder, samples_folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose base 3 goes back to the base 2 of its data set."""
    home = Home(tmp_path)
    folder = home.bases / "3"
    folder.mkdir(parents=True)
    for name in (USERS, ITEMS, PAIRS, CATALOGUE):
        (folder / name).write_bytes(b"".join(table_parts([])))
    (folder / MANIFEST).write_text(json.dumps({"cut": 0, "number": 3, "data_base": 2}))
    return home


def write(folder: Path, version: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps({"inputs_version": version}))


def test_it_is_there_once_both_parts_are(home: Home) -> None:
    assert not has_training_data(home, 3)
    write(samples_folder(home, 2), INPUTS_VERSION)
    assert not has_training_data(home, 3)
    write(ranking_lists_folder(home, 2), INPUTS_VERSION)
    assert has_training_data(home, 3)


def test_that_of_other_inputs_is_none(home: Home) -> None:
    write(samples_folder(home, 2), INPUTS_VERSION)
    write(ranking_lists_folder(home, 2), INPUTS_VERSION - 1)
    assert not has_training_data(home, 3)
