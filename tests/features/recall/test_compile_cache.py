"""A compiled function is out of date when anything that went into it has changed."""

from pathlib import Path

import pytest

from features.kernel.users import user_fold
from features.recall.compile_cache import InSourcesCache, remove_outdated, stamp_of

SOURCES = {
    "a": "from features.b import (\n    one,\n    two,\n)\nfrom features import d\n",
    "b": "from features.c import three\n",
    "c": "from features.a import four\n",  # a circle ends
    "d": "five = 5\n",
    "other": "six = 6\n",
}


def tree(root: Path) -> Path:
    folder = root / "features"
    folder.mkdir(parents=True)
    for name, text in SOURCES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.mark.parametrize(("changed", "matters"), [("a", True), ("b", True), ("c", True), ("d", True), ("other", False)])
def test_all_that_a_file_imports_counts(tmp_path: Path, changed: str, matters: bool) -> None:
    before, after = tree(tmp_path / "before"), tree(tmp_path / "after")
    (after / f"{changed}.py").write_text(SOURCES[changed] + "# changed\n")
    stamps = [stamp_of(folder / "a.py", folder.parent) for folder in (before, after)]
    assert (stamps[0] != stamps[1]) is matters


def test_numba_uses_it() -> None:
    cache = user_fold.fold_events._cache  # type: ignore[attr-defined]  # the dispatcher of Numba
    assert isinstance(cache._impl.locator, InSourcesCache)
    stamp = stamp_of(Path(user_fold.__file__).resolve())
    assert cache._impl.locator.get_source_stamp() == stamp
    assert f"fold_events-{stamp}" in cache._impl.filename_base


def test_what_is_out_of_date_is_removed(tmp_path: Path) -> None:
    names = ["fold.one-new.py311.nbi", "fold.one-new.py311.1.nbc", "fold.one-old.py311.nbi", "fold.one-old.py311.1.nbc"]
    others = ["other.one-old.py311.nbi", "fold.cpython-311.pyc"]
    for name in (*names, *others):
        (tmp_path / name).touch()
    remove_outdated(tmp_path, "fold", "new")
    assert {file.name for file in tmp_path.iterdir()} == {*names[:2], *others}
