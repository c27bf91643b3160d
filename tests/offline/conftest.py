"""One Spark session for the whole group, and small data sets in folders."""

import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.base.reader import Base
from infra.system.packages import spark_java_home
from offline.base.from_dataset import make_base
from offline.datasets.dataset import Dataset, open_dataset
from offline.datasets.event_history import tie_hash
from offline.spark.session import spark_session
from tests.java import SPARK
from tests.schemas import MOVIES as SCHEMA

Row = tuple[int, int, float, int]
Based = Callable[[Path, float], tuple[Dataset, Base]]
MOVIES = [
    (1, "Toy Story (1995)", "Animation|Comedy"),
    (2, "Heat (1995)", "Action|Crime"),
    (3, "Babylon 5", "Sci-Fi"),
    (4, "Nothing Known", "(no genres listed)"),
    (5, "Fawlty Towers (1975–1979)", "Comedy"),
    (6, "Seven (a.k.a. Se7en) (1995)", ""),
]


@pytest.fixture(scope="package")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    before = dict(os.environ)
    os.environ.update(SPARK, JAVA_HOME=str(spark_java_home()))
    with spark_session(tmp_path_factory.mktemp("für Spark"), 0, "local[2]", memory="1g") as session:
        # Spark has taken what it needs; other tests shall not see it.
        os.environ.clear()
        os.environ.update(before)
        session.conf.set("spark.sql.shuffle.partitions", "2")
        yield session


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows of different (user, item, second) in the order of a data set."""
    table = list(rows)
    users, items, seconds = (np.array([row[at] for row in table], np.int64) for at in (0, 1, 3))
    ties = tie_hash(users, items, seconds).tolist()
    return [row for _, row in sorted(zip(ties, table, strict=True), key=lambda pair: (pair[1][3], pair[0]))]


@pytest.fixture
def some_rows() -> list[Row]:
    """400 ratings of 23 users and 9 items (three of them in no catalogue), some at equal times, re-ratings among them."""
    rng = random.Random(3)
    rows = {}
    for at in range(400):
        user, item = rng.randrange(1, 24), rng.choice([1, 2, 3, 4, 5, 6, 70, 80, 2**62])
        ts = 900_000_000 + at // 3 * 20_000
        rows[user, item, ts] = (user, item, rng.randrange(1, 11) / 2, ts)
    return in_order(rows.values())


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: Iterable[Row], name: str = "mine", movies: Iterable[tuple[int, str, str]] = MOVIES) -> Path:
        folder = tmp_path / "folders" / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = [",".join(map(str, row)) for row in rows]
        (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n")
        films = [f'{movie_id},"{title}",{genres}' for movie_id, title, genres in movies]
        (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *films]) + "\n")
        return folder

    return write


@pytest.fixture(scope="package")
def based(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Based:
    """Data set and base number 1 of a share of a folder's rows, made once for the same name and content: only to be read."""
    made: dict[tuple[Any, ...], tuple[Dataset, Base]] = {}

    def one(folder: Path, history: float) -> tuple[Dataset, Base]:
        key = folder.name, history, *((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))
        if key not in made:
            out = tmp_path_factory.mktemp("based")
            dataset = open_dataset(str(shutil.copytree(folder, out / folder.name)), out / "data")
            make_base(spark, dataset, history, out / "1", SCHEMA)
            made[key] = dataset, Base(out / "1")
        return made[key]

    return one
