"""A compiled function is out of date when anything that went into it has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.kernel.users import user_fold
from features.recall import row_bits
from features.recall.compile_cache import remove_outdated, stamp_of

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


CALL = (
    "import numpy as np; from features.recall.row_bits import *; f = np.full(1, 255, np.uint8); "
    "print(bits_of_rows(np.ones(8, bool), np.arange(8, dtype=np.uint32), f)[0])"
)


def test_numba_uses_it(tmp_path: Path) -> None:
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=env, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "255\n"
    (index,) = tmp_path.rglob("*.nbi")
    assert f"row_bits._gather-{stamp_of(Path(row_bits.__file__).resolve())}." in index.name


def test_what_is_compiled_lies_beside_its_source_where_no_folder_is_given() -> None:
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    code = "from features.kernel.users import user_fold as f; print(f.fold_events.stats.cache_path)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=120
    )
    assert Path(done.stdout.strip()) == Path(user_fold.__file__).resolve().parent / "__pycache__"


def test_what_is_out_of_date_is_removed(tmp_path: Path) -> None:
    names = ["fold.one-new.py311.nbi", "fold.one-new.py311.1.nbc", "fold.one-old.py311.nbi", "fold.one-old.py311.1.nbc"]
    others = ["other.one-old.py311.nbi", "fold.cpython-311.pyc"]
    for name in (*names, *others):
        (tmp_path / name).touch()
    remove_outdated(tmp_path, "fold", "new")
    assert {file.name for file in tmp_path.iterdir()} == {*names[:2], *others}
