"""A home may lie wherever all engines take its path for what it is; elsewhere it is refused before anything is made there."""

from pathlib import Path

import pytest

from features.errors import BadInput
from infra.cli.home_option import home_of


@pytest.mark.parametrize("name", ["plain", "mein Zuhause ü", "дом", "it's #1 (100%)"])
def test_a_home_may_have_any_letters_in_its_path(tmp_path: Path, name: str) -> None:
    assert home_of(tmp_path / name).path == tmp_path / name


def test_a_circle_of_links_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(BadInput, match="--home: expected a path that leads to a folder"):
        home_of(tmp_path / "a")


@pytest.mark.parametrize(
    "name", ["a,b", "a:b", "a!", "a\\b", 'a"b', "a*", "a?", "[a]", "{a}", "a\nb", "a\x7fb", "a\udcfcb"]
)
def test_a_path_that_is_more_than_a_path_to_an_engine_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / name)
    for path in (tmp_path / name / "home", tmp_path / "link" / "home"):
        with pytest.raises(
            BadInput, match=r"--home: expected a path of UTF-8 without line breaks and any of , :"
        ) as refused:
            home_of(path)
        assert str(refused.value).isprintable()
