"""Which data set a home is made of, where it is not told, and how much of it is history."""

from pathlib import Path

from features.errors import BadInput
from features.schema.tables import preset_schema
from infra.home.paths import Home
from infra.home.schema_file import schema_of
from offline.datasets.own.description import FILE, read_description

FILMS_HISTORY = 0.8
"""Share of MovieLens that is loaded; the rest is for replays and evaluation. Of one's own data all is loaded."""


def chosen_dataset(home: Home, given: str | None) -> str:
    """Returns what a home's record says: a name, a folder, or `dataset.toml` for the files that the home's own file describes.

    Without a given one: those files if `init` was run, MovieLens 100K where events mean what they do with films, else none.
    Raises BadInput for other files than the home's own file describes.
    """
    if home.dataset_file.exists():
        folders = {str(path.parent) for path in read_description(home.dataset_file).files()}
        if given is None or str(Path(given).resolve()) in {*folders, str(home.dataset_file)}:
            return FILE
        raise BadInput("--dataset", f"{', '.join(sorted(folders))}, which {home.dataset_file} describes", given)
    if given is not None:
        return given
    from offline.datasets.sources import DEFAULT, NONE

    return DEFAULT if schema_of(home).digest == preset_schema().digest else NONE


def default_history(dataset: str) -> float:
    """Returns the share of a data set that is history where none is given."""
    from offline.datasets.sources import KNOWN, is_movielens

    is_films = dataset in KNOWN or (Path(dataset).is_dir() and is_movielens(Path(dataset)))
    return FILMS_HISTORY if is_films else 1.0
