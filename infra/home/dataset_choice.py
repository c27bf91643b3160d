"""Which data set a home is made of, where it is not told, and how much of it is history."""

from collections.abc import Sequence
from pathlib import Path

from features.base.reader import MANIFEST
from features.errors import BadInput
from features.schema.tables import preset_schema
from infra.home.paths import Home, read_json
from infra.home.schema_file import schema_of
from offline.datasets.dataset_names import NONE, TAKEN
from offline.datasets.own.description import FILE, describes, description_of, read_description

FILMS_HISTORY = 0.8
"""Share of MovieLens that is loaded; the rest is for replays and evaluation. Of one's own data all is loaded."""


def chosen_dataset(home: Home, given: str | None) -> str:
    """Returns what a home's record says: a name, a whole path, or `dataset.toml` for the files that its own file describes.

    Without a given one: those files if `init` was run, MovieLens 100K where events mean what they do with films, else none.
    Raises BadInput for other files than the home's own file describes.
    """
    if home.dataset_file.exists():
        files = read_description(home.dataset_file).files()
        if given is not None:
            _check_described(home, files, given)
        return FILE
    from offline.datasets.sources import DEFAULT, KNOWN

    if given is not None:
        path = Path(given).expanduser()
        return str(path.resolve()) if given not in (NONE, *KNOWN) and path.exists() else given
    return DEFAULT if schema_of(home).digest == preset_schema().digest else NONE


def check_made_of(home: Home, recorded: str, given: str) -> None:
    """Raise BadInput where what is given is not what a home that has a base was made of, as its record says. What is given may be
    gone or unreadable meanwhile; the home's own `dataset.toml` too: what was taken by it says of which files, then."""
    if recorded == FILE:
        try:
            files = read_description(home.dataset_file).files()
        except BadInput:
            files = _files_taken(home)
            if not files:
                raise
        _check_described(home, files, given)
    elif recorded not in (given, str(Path(given).expanduser().resolve())):
        expected = f"{recorded}, which {home.path} was made for (another --home takes another)"
        raise BadInput("--dataset", expected, given)


def _check_described(home: Home, files: Sequence[Path], given: str) -> None:
    """Raise BadInput where what is given is neither one of the files that the home's `dataset.toml` describes, nor a folder of
    theirs, nor that file itself."""
    folders = {path.parent.resolve() for path in files}
    known = {*folders, *(path.resolve() for path in files), home.dataset_file.resolve()}
    if Path(given).expanduser().resolve() not in known:
        described = ", ".join(sorted(map(str, folders))) or "no files"
        raise BadInput("--dataset", f"{described}, which {home.dataset_file} describes", given)


def _files_taken(home: Home) -> list[Path]:
    """The files that were taken by the home's own `dataset.toml`."""
    taken = [read_json(path) or {} for path in home.data.glob(f"*/{TAKEN}")]
    return [Path(path) for each in taken if each.get("from") == FILE for path, *_ in each["made_of"]]


def unread_correction(home: Home, dataset: str, base: Path, given: str | None = None) -> str:
    """Returns what to print where the `dataset.toml` that the home's data set goes by says something else than it did when a
    base was made, or can't be read, or where what `--dataset` names (given) is gone; "" where nothing is to be said."""
    name = (read_json(base / MANIFEST) or {}).get("dataset", "")
    data_set = home.data / name
    is_of_log = (read_json(data_set / TAKEN) or {}).get("from") == name
    try:
        if given is not None and Path(dataset).is_absolute() and not Path(given).expanduser().exists():
            return f"{given} is gone; base {base.name} stays"
        described = description_of(dataset) if Path(dataset).is_absolute() else None
        if not described or is_of_log or describes(described, data_set):
            return ""
        read_description(described)
    except BadInput as error:
        return f"{error.where} can't be read: expected {error.expected}, got {error.received}; base {base.name} stays"
    except OSError as error:  # another user's, or on a disk that is away
        return f"{dataset} can't be read: {error.strerror}; base {base.name} stays"
    return f"{described} has changed since base {base.name} was made: ./martlet features makes one of what it says now"


def default_history(dataset: str) -> float:
    """Returns the share of a data set that is history where none is given."""
    from offline.datasets.sources import KNOWN, is_movielens

    is_films = dataset in KNOWN or (Path(dataset).is_dir() and is_movielens(Path(dataset)))
    return FILMS_HISTORY if is_films else 1.0
