"""Versions only grow, appear whole, and are never used twice."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.errors import BadInput, Broken
from features.inputs.input_maps import INPUTS_VERSION
from models.registry import (
    discard,
    list_models,
    list_versions,
    newest,
    publish,
    published_as,
    read_manifest,
    rollback,
    staged_copy,
    staging_folder,
    trained_otherwise,
    verify_digests,
    version_folder,
)
from models.registry.__main__ import main
from models.registry.versions import STALE_STAGING_S
from tests.models.fake_version import a_staged_version, publish_one
from tests.patience import patience
from tests.schemas import MOVIES, SHOP


def newest_number(models: Path) -> int:
    manifest = newest(models, "toy")
    assert manifest is not None
    return manifest.version


def test_a_model_with_no_version_of_todays_inputs_was_trained_otherwise(tmp_path: Path) -> None:
    publish(a_staged_version(tmp_path, inputs_version=INPUTS_VERSION - 1), tmp_path, "toy")
    assert trained_otherwise(tmp_path, MOVIES.digest) == {"toy"}
    publish_one(tmp_path)
    assert trained_otherwise(tmp_path, MOVIES.digest) == set()


def test_nothing_there(tmp_path: Path) -> None:
    assert list_models(tmp_path / "none") == []
    assert list_versions(tmp_path, "toy") == []
    assert newest(tmp_path, "toy") is None


def test_versions_count_from_1(tmp_path: Path) -> None:
    assert [publish_one(tmp_path) for _ in range(3)] == [1, 2, 3]
    assert list_versions(tmp_path, "toy") == [1, 2, 3]
    assert list_models(tmp_path) == ["toy"]
    assert newest_number(tmp_path) == 3


def test_a_published_version_is_whole_and_staging_is_empty(tmp_path: Path) -> None:
    publish_one(tmp_path)
    verify_digests(tmp_path / "toy" / "1")
    assert list((tmp_path / ".staging").iterdir()) == []


def test_models_of_another_schema_alone_are_named(tmp_path: Path) -> None:
    publish_one(tmp_path, "both", schema=SHOP.digest)
    publish_one(tmp_path, "both")
    publish_one(tmp_path, "films")
    publish_one(tmp_path, "cut")
    (tmp_path / "cut" / "1" / "manifest.json").write_text("{")
    assert trained_otherwise(tmp_path, MOVIES.digest) == set()
    assert trained_otherwise(tmp_path, SHOP.digest) == {"films"}
    assert trained_otherwise(tmp_path / "nowhere", SHOP.digest) == set()


def test_ten_is_newer_than_nine(tmp_path: Path) -> None:
    for _ in range(10):
        publish_one(tmp_path)
    assert newest_number(tmp_path) == 10


def test_folders_are_read_as_tensorflow_serving_reads_them(tmp_path: Path) -> None:
    for name in ("001", "12", "x1", ".3", "1.5", "²"):
        (tmp_path / "toy" / name).mkdir(parents=True)
    (tmp_path / "toy" / "99").write_text("a file")
    assert list_versions(tmp_path, "toy") == [1, 12]
    assert version_folder(tmp_path, "toy", 1).name == "001"
    assert publish_one(tmp_path) == 13


def test_concurrent_publishers_get_a_number_each(tmp_path: Path) -> None:
    """Each begins when all are there: else the first is done before the last has started."""
    code = (
        "import sys; from pathlib import Path; from tests.models.fake_version import publish_one\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(*(publish_one(Path(sys.argv[1])) for _ in range(8)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for process in running:  # all are there before one begins
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    given = [int(number) for process in running for number in process.communicate(timeout=patience(60))[0].split()]
    assert sorted(given) == list(range(1, 25))
    assert list_versions(tmp_path, "toy") == list(range(1, 25))
    for version in given:
        assert read_manifest(version_folder(tmp_path, "toy", version)).version == version


def test_a_number_is_not_used_twice_when_its_folder_is_gone(tmp_path: Path) -> None:
    publish_one(tmp_path)
    publish_one(tmp_path)
    shutil.rmtree(tmp_path / "toy" / "2")
    assert publish_one(tmp_path) == 3


def test_rollback_goes_back_one_and_the_number_is_spent(tmp_path: Path) -> None:
    publish_one(tmp_path)
    publish_one(tmp_path)
    assert rollback(tmp_path, "toy") == 1
    assert list_versions(tmp_path, "toy") == [1]
    assert (tmp_path / ".retired" / "toy" / "2-1" / "saved_model.pb").is_file()
    assert list_models(tmp_path) == ["toy"]
    (tmp_path / "toy" / ".last").unlink()
    assert publish_one(tmp_path) == 3


def test_the_only_version_stays(tmp_path: Path) -> None:
    publish_one(tmp_path)
    with pytest.raises(BadInput, match="an older version of toy that can rank, got 1 in all"):
        rollback(tmp_path, "toy")
    with pytest.raises(BadInput, match="an older version of other that can rank, got 0 in all"):
        rollback(tmp_path, "other")
    assert list_versions(tmp_path, "toy") == [1]
    assert not (tmp_path / "other").exists()


def test_no_rollback_onto_a_broken_version(tmp_path: Path) -> None:
    publish_one(tmp_path)
    publish_one(tmp_path)
    (tmp_path / "toy" / "1" / "saved_model.pb").write_bytes(b"a gra")
    with pytest.raises(Broken, match=r"1/saved_model\.pb was changed or cut"):
        rollback(tmp_path, "toy")
    assert list_versions(tmp_path, "toy") == [1, 2]


def test_a_cut_version_is_not_published(tmp_path: Path) -> None:
    staged = a_staged_version(tmp_path)
    (staged / "saved_model.pb").write_bytes(b"")
    with pytest.raises(Broken, match="changed or cut"):
        publish(staged, tmp_path, "toy")
    assert list_versions(tmp_path, "toy") == []


def test_only_a_models_own_staged_version_is_published(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a version of other, got one of toy"):
        publish(a_staged_version(tmp_path), tmp_path, "other")
    elsewhere = a_staged_version(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="staged folder"):
        publish(elsewhere, tmp_path, "toy")


@pytest.mark.parametrize("name", ["", "../x", ".staging", "a/b", "a b"])
def test_a_name_is_a_folder_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="model"):
        staging_folder(tmp_path, name)


def test_an_unreadable_high_water_mark_stops_everything(tmp_path: Path) -> None:
    publish_one(tmp_path)
    (tmp_path / "toy" / ".last").write_text("")
    with pytest.raises(Broken, match=r"\.last: expected the last version number"):
        publish_one(tmp_path)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_one(tmp_path)
    publish_one(tmp_path)
    assert main(["list", "--models", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("toy 2  2023-11-14 22:13:20  10 rows  auc 0.8000")
    assert main(["verify", "--models", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "toy 1  whole\ntoy 2  whole\n"
    assert main(["rollback", "--models", str(tmp_path), "--model", "toy"]) == 0
    assert capsys.readouterr().out == "toy is back at version 1\n"
    assert main(["rollback", "--models", str(tmp_path), "--model", "toy"]) == 1
    assert capsys.readouterr().err == "error: rollback: expected an older version of toy that can rank, got 1 in all\n"


def test_it_imports_no_tensorflow() -> None:
    code = (
        "import sys, models.registry, models.registry.__main__\n"
        "assert not {'tensorflow', 'keras'} & {name.split('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_another_training_writes_is_left_alone_for_a_day(tmp_path: Path) -> None:
    fresh, dead = staging_folder(tmp_path, "toy"), staging_folder(tmp_path, "toy")
    (fresh / "half").write_text("written")
    long_ago = time.time() - STALE_STAGING_S - 60
    os.utime(dead, (long_ago, long_ago))
    staging_folder(tmp_path, "other")
    assert (fresh / "half").is_file()
    assert not dead.exists()


def test_a_staged_version_that_another_process_takes_meanwhile_stops_nobody(tmp_path: Path) -> None:
    """A link that leads nowhere is, as such a version, a name without a file."""
    (staging_folder(tmp_path, "toy").parent / "taken").symlink_to(tmp_path / "nowhere")
    assert staging_folder(tmp_path, "toy").is_dir()


def test_the_record_of_numbers_is_written_with_each_version(tmp_path: Path) -> None:
    for number in ("1", "2"):
        publish_one(tmp_path)
        assert (tmp_path / "toy" / ".last").read_text() == f"{number}\n"


def test_a_version_that_is_retired_twice_is_kept_twice(tmp_path: Path) -> None:
    """The same number, put back by hand and taken away again, is kept beside the first."""
    publish_one(tmp_path)
    publish_one(tmp_path)
    rollback(tmp_path, "toy")
    shutil.copytree(tmp_path / ".retired" / "toy" / "2-1", tmp_path / "toy" / "2")
    assert rollback(tmp_path, "toy") == 1
    assert sorted(path.name for path in (tmp_path / ".retired" / "toy").iterdir()) == ["2-1", "2-2"]


def test_a_version_that_may_only_be_read_is_published(tmp_path: Path) -> None:
    given = a_staged_version(tmp_path / "elsewhere")
    (given / "variables").mkdir(exist_ok=True)
    for folder in (given / "variables", given):
        folder.chmod(0o555)
    staged = staged_copy(given, tmp_path, "toy")
    assert {path.stat().st_mode & 0o777 for path in (staged, staged / "variables")} == {0o755}
    assert publish(staged, tmp_path, "toy") == 1


def test_of_what_was_rolled_back_the_newest_ten_stay(tmp_path: Path) -> None:
    retired = tmp_path / ".retired" / "toy"
    publish_one(tmp_path)
    (retired / "mine").mkdir(parents=True)
    for _ in range(12):
        publish_one(tmp_path)
        rollback(tmp_path, "toy")
    assert {path.name for path in retired.iterdir()} == {"mine", *(f"{number}-1" for number in range(4, 14))}
    assert publish_one(tmp_path) == 14


def test_what_is_published_is_known_by_its_files(tmp_path: Path) -> None:
    staged = a_staged_version(tmp_path)
    digests = read_manifest(staged).digests
    assert published_as(tmp_path, "toy", digests) is None
    assert published_as(tmp_path, "toy", digests) != publish(staged, tmp_path, "toy")
    assert published_as(tmp_path, "toy", digests) == 1
    publish_one(tmp_path)
    assert published_as(tmp_path, "toy", digests) == 2, "the newest of those with the same files"
    (tmp_path / "toy" / "2" / "manifest.json").write_text("{")
    assert published_as(tmp_path, "toy", digests) == 1


def test_an_older_version_is_discarded_for_good_and_the_newest_never(tmp_path: Path) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    discard(tmp_path, "toy", 1)
    assert list_versions(tmp_path, "toy") == [2, 3]
    for version in (1, 3):
        with pytest.raises(BadInput, match="expected an older version of toy than the newest"):
            discard(tmp_path, "toy", version)
    with pytest.raises(BadInput, match="without a label"):
        discard(tmp_path, "toy", 2, lambda: [2])
    assert publish_one(tmp_path) == 4
    assert not any((tmp_path / ".staging").iterdir())
