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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.services.environment import python_env
from infra.services.model_server_config import FIRST_MODELS
from infra.system import packages
from infra.system.repository import REPO
from tests.java import SPARK
from tests.patience import patience

MADE_OF = ("features", "offline", "models", "requirements.lock")
RETAINED = 3
"""Digests: as many branches as one works on at a time. Their seeds take some 100 MB."""
MAKE_WITHIN = 900.0
"""Seconds, for each of the programs that make them."""
DATASET = "ml-100k"
HISTORY = "history"
"""MovieLens 100K, 80 % of it loaded, and the models that `up` trains first."""
LATER = "later"
"""What HISTORY does not have: embeddings and a two-tower model, in the folders where a home would keep them."""
EMPTY = "empty"
"""The catalogue of MovieLens 100K, and no history."""
SEEDS = "seeds"
TWO_TOWERS = "twotower"


def digest() -> str:
    """Of all that decides what a seed holds; its making in this file and the training's effort included."""
    files = [Path(__file__).with_name(name) for name in ("seed.py", "spark_seeds.py", "small_training.py", "effort.py")]
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
    """The seed of a name below `folder`; all are made now where they are not there. Processes that want one at once wait for the
    one that makes them. Raises CalledProcessError where they can't be made: its output says why."""
    own = folder / digest()
    own.mkdir(parents=True, exist_ok=True)
    with _locked(own / "lock"):
        made = own / SEEDS
        began = time.monotonic()
        if not made.is_dir():
            staging = Path(tempfile.mkdtemp(dir=own, prefix=".seeds-"))
            try:
                _make(staging)
                staging.rename(made)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
            print(f"seeds: made in {time.monotonic() - began:.1f} s, kept in {made}")
            _forget_old(folder)
    os.utime(own)
    return made / name


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(folder: Path) -> None:
    kept = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in kept[:-RETAINED]:
        shutil.rmtree(old, ignore_errors=True)


def _run(*argv: object, java: bool = False) -> None:
    more = {"JAVA_HOME": str(packages.spark_java_home()), "SPARK_LOCAL_IP": "127.0.0.1", **SPARK} if java else {}
    env = python_env({"TF_CPP_MIN_LOG_LEVEL": "2", **more})
    subprocess.run(
        [sys.executable, "-m", *map(str, argv)], check=True, cwd=REPO, env=env, timeout=patience(MAKE_WITHIN)
    )


def _make(staging: Path) -> None:
    """Spark makes bases, training data and embeddings in one session; then TensorFlow trains all models in one process."""
    history, later, empty = (staging / name for name in (HISTORY, LATER, EMPTY))
    _run("tests.spark_seeds", history / "data", history, later, empty, java=True)
    folders = (history / "data" / "samples-1", history / "data" / "asks-1", history / "base" / "1", history / "models")
    _run("tests.small_training", *folders, *FIRST_MODELS, TWO_TOWERS)
    (later / "models").mkdir()
    (history / "models" / TWO_TOWERS).rename(later / "models" / TWO_TOWERS)
    shutil.copytree(history / "data" / DATASET, empty / "data" / DATASET)
    for each in history.iterdir():
        if each.name not in ("base", "data", "models"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()


if __name__ == "__main__":  # to fill the cache before a run
    seed(HISTORY, cache())
