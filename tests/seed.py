"""What homes of the tests start from: a base and small trained models, made once and kept by the digest of what makes them.

`up` makes only what a home lacks, so a home whose folder already holds a base, its samples and models serves without Spark
and Keras. A seed is a folder laid out as a home is. Where it is kept: MARTLET_TEST_CACHE, by default .venv/share/martlet/tests.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import offline
from infra.home import REPO, Home
from infra.record import HomeRecord
from infra.services import python_env

MADE_OF = ("features", "offline", "models", "requirements.lock")
KEPT = 3
"""Digests: as many branches as one works on at a time. A seed is some 100 MB."""
TRAIN_WITHIN = 900.0
HISTORY = "history"
"""MovieLens 100K, 80 % of it loaded, and the models that `up` trains first."""
NOTHING = "nothing"
"""No history, and so nothing to learn from."""
LATER = "later"
"""What HISTORY does not have: embeddings and a two-tower model, in the folders where a home would keep them."""


def digest() -> str:
    """Of all that decides what a seed holds; its making in this file and the training's effort included."""
    files = [Path(__file__), Path(__file__).with_name("small_training.py"), Path(offline.__file__)]
    for name in MADE_OF:
        path = REPO / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    told = hashlib.sha256()
    for file in files:
        told.update(f"{file.relative_to(REPO)}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()[:16]


def cache() -> Path:
    return Path(os.environ.get("MARTLET_TEST_CACHE") or REPO / ".venv" / "share" / "martlet" / "tests")


def seed(name: str, folder: Path) -> Path:
    """The seed of a name below `folder`, made now where it is not there. Processes that ask at once wait for the one that
    makes it. Raises MartletError where it can't be made."""
    kept = folder / digest()
    kept.mkdir(parents=True, exist_ok=True)
    with _locked(kept / f"{name}.lock"):
        made = kept / name
        began = time.monotonic()
        if not made.is_dir():
            aside = Path(tempfile.mkdtemp(dir=kept, prefix=f".{name}-"))
            try:
                MAKERS[name](aside, folder)
                aside.rename(made)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            print(f"seed {name}: made in {time.monotonic() - began:.1f} s, kept in {made}")
            _forget_old(folder)
    os.utime(kept)
    return made


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(folder: Path) -> None:
    kept = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in kept[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _prepare(path: Path, history: float) -> HomeRecord:
    """A base and what it is trained on, made by the code that `up` calls."""
    home = Home(path).make()
    record = HomeRecord(home)
    record.describe(None, history)
    offline.prepare(home, record, 1, print)
    record.take_base(1)
    return record


def _train(source: Home, models: Path, *names: str) -> None:
    folders = (offline.samples_folder(source, 1), offline.asks_folder(source, 1), source.bases / "1", models)
    argv = [sys.executable, "-m", "tests.small_training", *map(str, folders), *names]
    subprocess.run(argv, check=True, cwd=REPO, env=python_env({"TF_CPP_MIN_LOG_LEVEL": "2"}), timeout=TRAIN_WITHIN)


def _keep(path: Path, *names: str) -> None:
    for each in path.iterdir():
        if each.name not in names:
            shutil.rmtree(each) if each.is_dir() else each.unlink()


def _history(aside: Path, folder: Path) -> None:
    _prepare(aside, 0.8)
    _train(Home(aside), Home(aside).models, *offline.FIRST_MODELS)
    _keep(aside, "base", "data", "models")


def _nothing(aside: Path, folder: Path) -> None:
    _prepare(aside, 0.0)
    _keep(aside, "base", "data")


def _later(aside: Path, folder: Path) -> None:
    shutil.copytree(seed(HISTORY, folder), aside, dirs_exist_ok=True)
    home = Home(aside).make()
    record = HomeRecord(home)
    record.describe(None, 0.8)
    record.take_base(1)
    offline.embed(home, record, print)
    shutil.rmtree(home.models)
    _train(home, home.models, "twotower")
    _keep(aside, "embeddings", "models")


MAKERS: dict[str, Callable[[Path, Path], None]] = {HISTORY: _history, NOTHING: _nothing, LATER: _later}


if __name__ == "__main__":  # to fill the cache before a run: python -m tests.seed [NAME…]
    for wanted in sys.argv[1:] or MAKERS:
        seed(wanted, cache())
