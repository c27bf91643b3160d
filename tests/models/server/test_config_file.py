"""A model config file that changes while a server runs."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.server import config
from models.server.config import Config
from models.server.config_file import ConfigFile
from models.server.engine.manager import Manager
from tests.patience import patience

pytestmark = pytest.mark.keras


def labelled(library: Any, base_path: Path, versions: list[int], stable: int) -> str:
    """A config of the model ``m`` with a label."""
    policy = "".join(f"versions: {version} " for version in versions)
    options = f'model_version_policy {{ specific {{ {policy} }} }} version_labels {{ key: "stable" value: {stable} }}'
    return f"model_config_list {{ {library.entry('m', base_path, options)} }}"


Write = Callable[[list[int], int], None]
Followed = tuple[Manager, ConfigFile, Write]


@pytest.fixture
def followed(library: Any, tmp_path: Path) -> Iterator[Followed]:
    """Version 1, which is stable, on a manager that looks once by itself; its file, and what writes another one."""
    library.put(library.linear(1), tmp_path / "m")
    path = tmp_path / "models.config"

    def write(versions: list[int], stable: int) -> None:
        path.write_text(labelled(library, tmp_path / "m", versions, stable))

    write([1], 1)
    served = config.read_file(path)
    manager = Manager(served, poll_seconds=0)
    manager.start()
    assert manager.first_pass.wait(patience(30))
    yield manager, ConfigFile(path, served, manager), write
    manager.stop()


def stable(manager: Manager) -> int:
    with manager.lease("m", label="stable") as servable:
        return servable.version


def test_a_label_moves_to_a_version_of_the_same_edit(followed: Followed, library: Any, tmp_path: Path) -> None:
    manager, file, write = followed
    library.put(library.linear(2), tmp_path / "m")
    write([2], 2)
    file.follow()
    assert stable(manager) == 2
    assert manager.available() == {"m": [2]}


def test_a_label_waits_for_its_version_and_the_version_before_answers(
    followed: Followed, library: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager, file, write = followed
    write([2, 3], 2)
    library.put(library.linear(3), tmp_path / "m")
    for _ in range(3):
        file.follow()
        assert stable(manager) == 1
        assert manager.available() == {"m": [1, 3]}
    [complaint] = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert "is not wholly served yet: Request to assign label to version 2 of model m" in complaint
    library.put(library.linear(2), tmp_path / "m")
    file.follow()
    assert stable(manager) == 2
    assert manager.available() == {"m": [2, 3]}


def test_an_edit_that_is_taken_back_leaves_nothing(followed: Followed, library: Any, tmp_path: Path) -> None:
    manager, file, write = followed
    library.put(library.linear(3), tmp_path / "m")
    write([2, 3], 2)
    file.follow()
    write([1], 1)
    file.follow()
    assert stable(manager) == 1
    assert manager.available() == {"m": [1]}


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the file's log says, shortened to what matters."""
    return [
        record.message.partition("models.config is ")[2] or record.message.partition("serving the ")[2]
        for record in caplog.records
        if record.name == "models.server.config_file"
    ]


@pytest.mark.parametrize(
    ("finished", "policy", "error"),
    [
        ((), "latest {}", "version: 7} due to error: NOT_FOUND: Could not find SavedModel"),
        ((1, 2), "latest {}", "version: 7} due to error: NOT_FOUND: Could not find SavedModel"),
        ((1, 2), "all {}", "version: 7} due to error: NOT_FOUND: Could not find SavedModel"),
        (
            (1, 2),
            "specific { versions: 1 versions: 9 }",
            "version: 9} due to error: NOT_FOUND: no such version is there",
        ),
    ],
    ids=["only version", "newest version", "one of all", "not there"],
)
def test_a_file_is_served_once_each_version_that_it_wants_answers(
    finished: tuple[int, ...],
    policy: str,
    error: str,
    followed: Followed,
    library: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    manager, file, _ = followed
    for version in finished:
        library.put(library.linear(version), tmp_path / "n")
    broken = tmp_path / "n" / "7"
    broken.mkdir(parents=True)
    entries = library.entry("m", tmp_path / "m") + library.entry(
        "n", tmp_path / "n", f"model_version_policy {{ {policy} }}"
    )
    (tmp_path / "models.config").write_text(f"model_config_list {{ {entries} }}")
    for _ in range(3):
        file.follow()
    [complaint] = said(caplog)
    assert "not wholly served yet: 1 model(s) did not become available: {{name: n " + error in complaint
    assert manager.available()["m"] == [1]
    broken.rmdir()
    library.put(library.linear(3), tmp_path / "n", "9")
    for _ in range(2):
        file.follow()
    assert said(caplog)[1:] == [f"changed {tmp_path / 'models.config'}"]


class BrokenManager(Manager):
    """A manager that can't reload for once."""

    broken = True

    def reload(self, config: Config) -> None:
        if self.broken:
            raise OSError("no more threads")
        super().reload(config)


def test_what_nobody_thought_of_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "models.config"
    path.write_text('model_config_list { config { name: "m" base_path: "/none" model_platform: "tensorflow" } }')
    manager = BrokenManager({}, poll_seconds=0)
    file = ConfigFile(path, {}, manager)
    for _ in range(2):
        file.follow()
    [complaint] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert complaint.exc_info
    assert "no more threads" in str(complaint.exc_info[1])
    manager.broken = False
    manager.start()
    file.follow()
    assert manager.serves("m")
    manager.stop()
