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

from infra.services.environment import python_env
from infra.system import packages
from infra.system.repository import REPO
from tests.java import SPARK

MADE_OF = ("features", "offline", "models", "requirements.lock")
KEPT = 3
"""Digests: as many branches as one works on at a time. A seed is some 100 MB."""
DATASET = "ml-100k"
LESSONS = ("--max-positives", 8_000, "--most-asks", 2_000)
"""What small models are trained on: a part of what `up` makes of the same history, in a part of the time."""
MAKE_WITHIN = 900.0
"""Seconds, for each of the programs that make a seed."""
HISTORY = "history"
"""MovieLens 100K, 80 % of it loaded, and the models that `up` trains first."""
EMBEDDINGS = ("als", "item2vec")
"""One kind with vectors of users, and one without."""
LATER = "later"
"""What HISTORY does not have: embeddings and a two-tower model, in the folders where a home would keep them."""


def digest() -> str:
    """Of all that decides what a seed holds; its making in this file and the training's effort included."""
    files = [Path(__file__).with_name(name) for name in ("seed.py", "small_training.py", "effort.py")]
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
    makes it. Raises CalledProcessError where it can't be made: its output says why."""
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


def _run(*argv: object, java: bool = False) -> None:
    more = {"JAVA_HOME": str(packages.spark_java_home()), "SPARK_LOCAL_IP": "127.0.0.1", **SPARK} if java else {}
    env = python_env({"TF_CPP_MIN_LOG_LEVEL": "2", **more})
    subprocess.run([sys.executable, "-m", *map(str, argv)], check=True, cwd=REPO, env=env, timeout=MAKE_WITHIN)


def _prepare(home: Path, history: float) -> None:
    """The first base of a home, and what models are trained on, as `up` makes them."""
    made = ("--out", home / "base" / "1", "--samples", home / "data" / "samples-1", "--asks", home / "data" / "asks-1")
    data = ("--dataset", DATASET, "--data-dir", home / "data", "--history", history)
    _run("offline.prepare", *data, *made, *LESSONS, java=True)


def _train(home: Path, models: Path, *names: str) -> None:
    folders = (home / "data" / "samples-1", home / "data" / "asks-1", home / "base" / "1", models)
    _run("tests.small_training", *folders, *names)


def _keep(path: Path, *names: str) -> None:
    for each in path.iterdir():
        if each.name not in names:
            shutil.rmtree(each) if each.is_dir() else each.unlink()


def _history(aside: Path, folder: Path) -> None:
    _prepare(aside, 0.8)
    _train(aside, aside / "models", "neuralcf", "widedeep", "fusion")
    _keep(aside, "base", "data", "models")


def _later(aside: Path, folder: Path) -> None:
    home = seed(HISTORY, folder)
    made = ("--base", home / "base" / "1", "--out", aside / "embeddings" / "1")
    kinds = [part for kind in EMBEDDINGS for part in ("--kind", kind)]
    _run("offline.embeddings", "--dataset", DATASET, "--data-dir", home / "data", *made, *kinds, java=True)
    _train(home, aside / "models", "twotower")
    _keep(aside, "embeddings", "models")


MAKERS: dict[str, Callable[[Path, Path], None]] = {HISTORY: _history, LATER: _later}


if __name__ == "__main__":  # to fill the cache before a run: python -m tests.seed [NAME…]
    for wanted in sys.argv[1:] or MAKERS:
        seed(wanted, cache())
