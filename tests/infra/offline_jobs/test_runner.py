"""Training data of a home: whether it is there, of the inputs that this code makes, and removed with its log."""

import json
import os
import shutil
from pathlib import Path

import pytest

from features.base.mapped_table import table_parts
from features.base.reader import CATALOGUE, ITEMS, MANIFEST, PAIRS, USERS
from features.errors import Broken, Unavailable
from features.inputs.input_maps import INPUTS_VERSION
from features.inputs.signals import SIGNAL_COLUMNS
from features.schema.document import FILE as SCHEMA_FILE
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs.base_folders import ranking_lists_folder, remove_bases, remove_learned, samples_folder
from infra.offline_jobs.runner import (
    has_training_data,
    publish,
    run_module,
    train_on,
)
from infra.offline_jobs.scratch import used_alone
from infra.offline_jobs.seeded_runs import evaluate_anew
from infra.offline_jobs.step_process import StepFailed
from models.registry import MANIFEST as VERSION_MANIFEST
from models.registry import encode_manifest, folder_digests
from offline.datasets.dataset_names import SHOWN, TAKEN
from offline.datasets.tie_order import BY_ID
from tests.models.fake_version import a_manifest
from tests.schemas import MOVIES


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose base 3 goes back to the base 2 of its data set."""
    home = Home(tmp_path)
    folder = home.bases / "3"
    folder.mkdir(parents=True)
    for name in (USERS, ITEMS, PAIRS, CATALOGUE):
        (folder / name).write_bytes(b"".join(table_parts([])))
    (folder / SCHEMA_FILE).write_text(MOVIES.text())
    (folder / MANIFEST).write_text(json.dumps({"cut": 0, "number": 3, "data_base": 2, "dataset": "films"}))
    return home


def write(folder: Path, version: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    signals = {"signals": len(SIGNAL_COLUMNS)} if folder.name.startswith("asks") else {}
    (folder / "meta.json").write_text(json.dumps({"inputs_version": version, **signals}))


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


def test_lists_of_fewer_signals_are_none(home: Home) -> None:
    write(samples_folder(home, 2), INPUTS_VERSION)
    write(ranking_lists_folder(home, 2), INPUTS_VERSION)
    (ranking_lists_folder(home, 2) / "meta.json").write_text(json.dumps({"inputs_version": INPUTS_VERSION}))
    assert not has_training_data(home, 3)


def test_what_another_process_trains_on_is_not_made_anew(home: Home) -> None:
    """As by a second `train --go-on`, or a second `evaluate --anew`: it removed what the first one had made."""
    home.make()
    shown, work = home.data / SHOWN, home.path / "out" / f"{BY_ID}-7" / "work"
    for folder in (shown, work):
        folder.mkdir(parents=True)
        (folder / "of the first").touch()

    with (
        used_alone(shown, home.run / f"{SHOWN}.lock"),
        used_alone(work, work.parent / "work.lock"),
    ):
        with pytest.raises(Unavailable, match=f"process {os.getpid()} works in it"):
            train_on(home, 3, ["fusion"], None, print)
        with pytest.raises(Unavailable, match=f"process {os.getpid()} works in it"):
            evaluate_anew(home, 3, ["fusion"], 1, BY_ID, home.path / "out", print)
    assert all((folder / "of the first").exists() for folder in (shown, work))


def test_logs_that_no_base_goes_back_to_are_removed_and_nothing_else(home: Home) -> None:
    for number, data_base in ((4, 4), (5, 5), (6, 6), (7, 6)):
        shutil.copytree(home.bases / "3", home.bases / str(number))
        (home.bases / str(number) / MANIFEST).write_text(
            json.dumps({"cut": 0, "number": number, "data_base": data_base})
        )
    taken_from = {"log-4": "log-4", "log-5": "log-5", "log-6": "log-6", "log-8": "/my/log-8", "log-x": "log-x"}
    for name, source in taken_from.items():
        (home.data / name).mkdir(parents=True)
        (home.data / name / TAKEN).write_text(json.dumps({"from": source}))
    (home.data / "log-9").mkdir()
    for number in (4, 5, 6, 9):
        write(samples_folder(home, number), INPUTS_VERSION)
        write(ranking_lists_folder(home, number), INPUTS_VERSION)
    record = HomeRecord(home)
    record.take_base(5)
    record.set_next_base(7)
    record.save()
    remove_learned(home, 3)
    assert sorted(path.name for path in home.data.glob("*")) == sorted(
        f"{name}-{number}"
        for name, numbers in {"log": "5689x", "samples": "569", "asks": "569"}.items()
        for number in numbers
    )


def test_what_the_gate_refuses_is_told_from_what_could_not_be_published(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home").make(), tmp_path / "version"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("no model")
    with pytest.raises(
        StepFailed, match=r"--folder: expected a folder with saved_model\.pb and manifest\.json"
    ) as failed:
        publish(home, folder, "toy", False, print)
    assert failed.value.code == 1
    (folder / VERSION_MANIFEST).write_bytes(encode_manifest(a_manifest("toy", digests=folder_digests(folder))))
    (folder / "saved_model.pb").write_text("another")
    with pytest.raises(Broken, match=r"saved_model\.pb was changed"):
        publish(home, folder, "toy", False, print)


def test_the_log_of_steps_has_a_bound(tmp_path: Path) -> None:
    log = tmp_path / "learning.log"
    log.touch()
    os.truncate(log, 17 << 20)
    run_module(["platform"], log, lambda _: None)
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size == 17 << 20


def test_bases_that_nothing_goes_back_to_are_removed(home: Home) -> None:
    for number, root, data_base in ((1, 1, 1), (2, 1, 1), (4, 1, 2), (5, 1, 4), (6, 1, 6)):
        folder = shutil.copytree(home.bases / "3", home.bases / str(number), dirs_exist_ok=True)
        manifest = {"cut": 0, "number": number, "root": root, "data_base": data_base}
        (folder / MANIFEST).write_text(json.dumps(manifest))
    (home.bases / "7.tmp").mkdir()
    remove_bases(home, {None, 5, 6})
    assert sorted(folder.name for folder in home.bases.iterdir()) == ["1", "4", "5", "6", "7.tmp"]
    remove_bases(home, {None, 9})
    assert len(list(home.bases.iterdir())) == 5, "a home whose base is lost loses no other"


def test_a_base_that_is_newer_than_all_in_use_stays_with_what_it_goes_back_to(home: Home) -> None:
    """Whoever made it makes training data of it, and records it then."""
    for number, data_base in ((1, 1), (2, 2), (4, 1)):
        folder = shutil.copytree(home.bases / "3", home.bases / str(number))
        (folder / MANIFEST).write_text(json.dumps({"cut": 0, "number": number, "data_base": data_base}))
    remove_bases(home, {None, 3})
    assert sorted(folder.name for folder in home.bases.iterdir()) == ["1", "2", "3", "4"]
    remove_bases(home, {4})
    assert sorted(folder.name for folder in home.bases.iterdir()) == ["1", "4"]


def test_training_data_goes_with_its_base(home: Home) -> None:
    """Also that of bases which are gone; not that of a base in the making."""
    for number in (1, 2, 4):
        (home.bases / str(number)).mkdir()
        (home.bases / str(number) / MANIFEST).write_text(json.dumps({"number": number, "data_base": min(number, 3)}))
    for number in (0, 1, 2, 3, 5):
        write(samples_folder(home, number), INPUTS_VERSION)
        write(ranking_lists_folder(home, number), INPUTS_VERSION)
    (home.data / "samples-of-mine").mkdir()
    (home.data / "log-1").mkdir()
    (home.data / "log-0").mkdir()
    (home.data / "log-0" / TAKEN).write_text('{"from": "/my/log-0"}')
    remove_bases(home, {None, 2, 4})
    assert sorted(folder.name for folder in home.data.iterdir()) == sorted(
        ["log-0", "samples-of-mine", *(f"{name}-{number}" for name in ("samples", "asks") for number in (2, 3, 5))]
    )
