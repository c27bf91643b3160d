"""The job's own Java classes: compiled once, anew when they change, and what is wrong with them is said."""

import zipfile
from pathlib import Path

import pytest

from features.errors import Broken
from infra.flink import java_classes

pytestmark = pytest.mark.services

GOOD = "package martlet; public final class Small { public static int number() { return %d; } }"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "java"
    folder.mkdir()
    return folder


def test_a_second_start_compiles_nothing_and_changed_sources_are_compiled_again(sources: Path, tmp_path: Path) -> None:
    (sources / "Small.java").write_text(GOOD % 1)
    first = java_classes.jar(sources, tmp_path)
    written = first.read_bytes()
    first.write_bytes(b"as it was")
    assert java_classes.jar(sources, tmp_path) == first
    assert first.read_bytes() == b"as it was", "compiled again"
    (sources / "Small.java").write_text(GOOD % 2)
    second = java_classes.jar(sources, tmp_path)
    assert second != first
    assert second.read_bytes() != written
    assert zipfile.ZipFile(second).namelist() == ["martlet/Small.class"]


@pytest.mark.parametrize("locale", ["C", "xx_XX.UTF-8"])
def test_sources_in_a_folder_of_any_name_are_compiled_whatever_locale_is_named(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    """Java takes the encoding of paths from it."""
    monkeypatch.setenv("LC_ALL", locale)
    folder = sources.rename(tmp_path / "für дом")
    (folder / "Small.java").write_text(GOOD % 1)
    assert zipfile.ZipFile(java_classes.jar(folder, folder)).namelist() == ["martlet/Small.class"]


def test_an_error_is_said_in_the_compilers_words_and_nothing_is_stored(sources: Path, tmp_path: Path) -> None:
    (sources / "Small.java").write_text("package martlet; public final class Small { int number() { return word; } }")
    with pytest.raises(Broken, match=r"java does not compile:(.|\n)*Small\.java(.|\n)*word cannot be resolved"):
        java_classes.jar(sources, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["java"]


def test_jars_that_nobody_has_used_for_long_are_removed(sources: Path, tmp_path: Path) -> None:
    made = []
    for number in range(3):
        (sources / "Small.java").write_text(GOOD % number)
        made.append(java_classes.jar(sources, tmp_path, limit=2))
    assert sorted(tmp_path.glob("*.jar")) == sorted(made[1:])
