"""Archives of Java's classes: made once from what a program has loaded, used from then on, and never in the way of a start."""

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.services.environment import python_env
from infra.system import class_archive, packages
from infra.system.class_archive import NOTES, RETAINED, ClassArchive
from tests.patience import patience

pytestmark = pytest.mark.services

MAIN = "org.apache.kafka.clients.producer.ProducerConfig"
"""It prints a page about its settings."""
COLLECTOR = "-XX:+UseSerialGC"


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """A program, Kafka's clients, beside what is noted of it and its archives."""
    (tmp_path / "classes").mkdir()
    return Path(shutil.copy(jar_of("kafka-clients"), tmp_path / "program.jar"))


def jar_of(name: str) -> Path:
    (path,) = [path for path in packages.jars("kafka") if path.name.startswith(f"{name}-")]
    return path


def archive_of(jar: Path, notes: str = "notes") -> ClassArchive:
    return ClassArchive("program", [jar], [COLLECTOR], jar.parent / notes, jar.parent / "classes")


def run(jar: Path, *options: str) -> str:
    """What the program says when it is started as its archive says."""
    java, classpath = str(packages.java_home() / "bin" / "java"), f"{jar}:{jar_of('slf4j-api')}"
    argv = [java, COLLECTOR, *archive_of(jar).java_options(), *options, "-cp", classpath, MAIN]
    done = subprocess.run(argv, env=python_env(), capture_output=True, text=True, check=True, timeout=patience(60))
    return done.stdout


def make(archive: ClassArchive, log: Path) -> None:
    with log.open("ab") as file:
        archive.make(file, 0, lambda _, __: nullcontext(), python_env())


def where_from(output: str) -> str:
    (line,) = [line for line in output.splitlines() if f" {MAIN} source:" in line]
    return line.split("source: ")[1]


def test_what_a_program_has_loaded_is_mapped_from_its_second_start_on(jar: Path, tmp_path: Path) -> None:
    archive = archive_of(jar)
    assert not archive.can_be_made, "nothing has been loaded yet"
    assert where_from(run(jar, "-Xlog:class+load")).startswith("file:")
    assert archive.can_be_made
    make(archive, tmp_path / "log")
    assert not archive.can_be_made
    assert where_from(run(jar, "-Xlog:class+load")) == "shared objects file"
    assert list((tmp_path / "notes").iterdir()) == [], "notes are left"
    assert len(list((tmp_path / "classes").iterdir())) == 1, "there is more than the archive"


@pytest.mark.parametrize("locale", ["C", "xx_XX.UTF-8"])
def test_it_has_the_programs_classes_whatever_locale_is_named(
    jar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    """Java takes the encoding of paths from it, and leaves out what it does not find: other homes would go without, too."""
    monkeypatch.setenv("LC_ALL", locale)
    (tmp_path / "für дом").mkdir()
    linked = tmp_path / "für дом" / jar.name
    linked.symlink_to(jar)
    (tmp_path / "für дом" / "classes").symlink_to(tmp_path / "classes")
    run(linked)
    make(archive_of(linked), tmp_path / "log")
    for each in (linked, jar):
        assert where_from(run(each, "-Xlog:class+load")) == "shared objects file"


def test_one_of_an_earlier_version_which_may_lack_them_is_not_used(jar: Path, tmp_path: Path) -> None:
    seen = jar.stat()
    named_by = f"{jar.name} {seen.st_size} {seen.st_mtime_ns}\n{COLLECTOR}".encode()
    digest = hashlib.sha256((packages.java_home() / "release").read_bytes() + named_by).hexdigest()[:16]
    (tmp_path / "classes" / f"program-{digest}.jsa").touch()
    run(jar)
    assert archive_of(jar).can_be_made


def test_homes_that_make_it_at_once_make_one(jar: Path, tmp_path: Path) -> None:
    run(jar)
    for number in range(3):
        shutil.copytree(tmp_path / "notes", tmp_path / f"notes{number}")
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda number: make(archive_of(jar, f"notes{number}"), tmp_path / f"log{number}"), range(3)))
    assert where_from(run(jar, "-Xlog:class+load")) == "shared objects file"


def test_of_another_jar_there_is_no_archive_and_the_program_starts_all_the_same(jar: Path, tmp_path: Path) -> None:
    run(jar)
    make(archive_of(jar), tmp_path / "log")
    os.utime(jar, (1, 1))
    assert where_from(run(jar, "-Xlog:class+load")).startswith("file:")
    assert archive_of(jar).can_be_made


def test_so_many_processes_note_what_they_load_and_no_more(jar: Path, tmp_path: Path) -> None:
    for _ in range(NOTES + 2):
        for option in archive_of(jar).java_options():
            _, _, note = option.partition("=")
            shutil.copy(jar, f"{note}{len(os.listdir(Path(note).parent))}")
    (notes,) = (tmp_path / "notes").iterdir()
    assert len(list(notes.iterdir())) == NOTES


def test_an_archive_that_can_not_be_made_leaves_nothing_behind(jar: Path, tmp_path: Path) -> None:
    run(jar)
    (note,) = [path for path in (tmp_path / "notes").rglob("*") if path.is_file()]
    strange = ClassArchive("program", [jar], ["-XX:+NoSuchOption"], tmp_path / "notes", tmp_path / "classes")
    (wanted,) = [option.partition("=")[2] for option in strange.java_options()]
    shutil.copy(note, wanted)
    with pytest.raises(Unavailable, match=r"program: no archive of its classes: Java ended with exit code 1"):
        make(strange, tmp_path / "log")
    assert b"NoSuchOption" in (tmp_path / "log").read_bytes()
    assert list((tmp_path / "classes").iterdir()) == []
    assert archive_of(jar).can_be_made


def test_archives_that_nobody_has_used_for_long_are_removed(jar: Path, tmp_path: Path) -> None:
    for number in range(RETAINED + 1):
        os.utime(jar, (number, number))
        run(jar)
        make(archive_of(jar), tmp_path / "log")
        for path in (tmp_path / "classes").glob("*.jsa"):
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 1_000_000_000))
    assert len(list((tmp_path / "classes").glob("*.jsa"))) == RETAINED


def test_where_nothing_can_be_written_a_program_starts_as_it_is(jar: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not a folder")
    assert archive_of(jar).java_options() == []
    assert not archive_of(jar).can_be_made
    assert "bootstrap.servers" in run(jar)


def test_a_note_that_is_still_being_written_is_taken_up_to_its_last_whole_line() -> None:
    assert class_archive.merged(["a/A id: 0\na/B id: 1\na/Cc"]) == ["a/A", "a/B"]
