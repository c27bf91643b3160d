"""Taking a data set in: from its files into a folder of the home's, which stays as it is once a base was made of it.

What no base was made of yet is taken anew whenever it is opened for one: a correction after a failed start counts. Once a base
goes back to it, what was taken stays, whatever becomes of the files. A `dataset.toml` that was changed then is another data set,
which the next base is made of: it lies under the same name and a number, such as `shop.2`. One that has gone from its folder
since a base was made is no correction: the data set stays that a base was last to be made of, while it was there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from features.base.reader import MANIFEST
from features.durable import write_whole
from features.errors import BadInput
from features.ids import OuterId
from features.schema.tables import Schema
from features.types import KINDS, RATING, Item, Millis
from offline.datasets.dataset_names import NONE, TAKEN
from offline.datasets.event_history import HISTORY_VERSION, Happened, write_history
from offline.datasets.movielens.normalise import normalise
from offline.datasets.own.attribute_columns import Misfit
from offline.datasets.own.description import FILE as DESCRIPTION
from offline.datasets.own.description import describes, description_of, digest_of, read_description
from offline.datasets.own.own_rows import normalise_own, read_users
from offline.datasets.own.value_meanings import meanings_of
from offline.datasets.rejected_lines import FILE, Rejects
from offline.datasets.sources import KNOWN, Source, find_source, name_of
from offline.datasets.user_profiles import KNOWN_UNTIL, PROFILES, write_profiles

HISTORY: Final = "history.parquet"
ITEMS: Final = "items.msgpack"
STAMP: Final = "rows.json"
"""File that says of what the rows of a history that a schema takes were made; without it they are made again."""
CHOSEN: Final = "chosen.json"
"""File that counts up among data sets that were taken from the same place: the highest is the one that was described last."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one where there is none."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def take(given: str, data_dir: Path, schema: Schema, bases: Path | None) -> tuple[Path, dict[str, Any]]:
    """The folder of a data set, and what its taken.json holds: taken from its files where it was not yet, or is opened to make
    a base and none of the `bases` is of it. Raises BadInput, Unavailable and Broken as `find_source` and `normalise` do."""
    folder, taken = _opened(given, data_dir, schema, bases)
    if bases is not None and _description(given):
        _note_chosen(folder, given, data_dir)
    return folder, taken


def _opened(given: str, data_dir: Path, schema: Schema, bases: Path | None) -> tuple[Path, dict[str, Any]]:
    folder = _folder(given, data_dir, bases)
    taken = _whole(folder)
    if _is_folder_of(given, data_dir):
        if taken is None:
            source = _source_of(read_json(folder / TAKEN).get("from", given), data_dir)
            return folder, _take(source, folder, data_dir, schema)
    elif taken is None:
        return folder, _take(given, folder, data_dir, schema)
    else:
        _check_source(given, folder, taken, data_dir)
        lacks = _lacks_description(given, taken)
        settled = _taken_from(given, data_dir, bases) if lacks else [folder]
        if bases is not None and not any(_newest_base(each.name, bases) for each in settled) and _can_be_read(given):
            return folder, _take(given, folder, data_dir, schema)
        if lacks:
            missing = Path(given).expanduser() / DESCRIPTION
            print(f"{folder.name}: {missing} is gone; what was taken by it stays (a new home takes the files anew)")
    _print_changes(folder, taken)
    return folder, taken


def keep_dataset(
    name: str,
    data_dir: Path,
    rows: Happened,
    items: Sequence[Item],
    values: Mapping[str, str],
    profiles: Iterable[tuple[OuterId, str]] = (),
    known_until: Millis = -1,
) -> None:
    """Keep rows and items under a name, as if they had been taken from files; `open_dataset` opens them by it. values: kind →
    what its value is; profiles: (id outside, attributes as JSON) of users who have some, as known
    at the home's time `known_until`."""
    folder = data_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    _forget(folder)
    shape = write_history(rows, folder / HISTORY)
    write_whole(folder / ITEMS, msgspec.msgpack.encode(items))
    write_profiles(profiles, folder / PROFILES)
    taken = {"version": HISTORY_VERSION, "from": name, "made_of": [], "clock": "wall", "values": dict(values)}
    taken[KNOWN_UNTIL] = known_until
    write_whole(folder / TAKEN, json.dumps(taken | shape | {"rejected": 0}, indent=1).encode())


def _take(given: str, folder: Path, data_dir: Path, schema: Schema) -> dict[str, Any]:
    """Read the files into the folder; what taken.json then holds."""
    rejects = Rejects()
    source = find_source(given, data_dir, schema.document, rejects)
    folder.mkdir(parents=True, exist_ok=True)
    _forget(folder)
    values: Mapping[str, str] = {KINDS[RATING]: "stars"}
    misfits: Sequence[Misfit] = ()
    users: Mapping[str, str] = {}
    if isinstance(source, Source):
        shape = normalise(source, folder / HISTORY, folder / ITEMS, rejects, data_dir)
    else:
        values = meanings_of(source, schema.document)
        shape, misfits = normalise_own(source, schema, folder / HISTORY, folder / ITEMS, rejects, data_dir)
        users, of_users = read_users(source, schema, rejects, data_dir)
        misfits = [*misfits, *of_users]
    write_profiles(users.items(), folder / PROFILES)
    taken = {
        "version": HISTORY_VERSION,
        "from": _from(given, data_dir),
        "made_of": [[str(path.resolve()), *_fingerprint(path)] for path in source.files()],
        "clock": "data" if isinstance(source, Source) else source.clock,
        "values": dict(values),
        **shape,
        "rejected": rejects.count,
    }
    if described := _description(given):
        taken["described"] = digest_of(described)
    if repeated := shape.get("repeated_items"):
        print(
            f"{folder.name}: {repeated} rows of items are of one that came before: what the last says counts",
            flush=True,
        )
    for misfit in misfits:
        print(f"{folder.name}: {misfit.text}", flush=True)
    for remark in rejects.remarks():
        print(f"{folder.name}: {remark}", flush=True)
    if rejects.count:
        rejects.write(data_dir / FILE)
        print(f"{folder.name}: {rejects.count} bad lines left out, see {data_dir / FILE}", flush=True)
    write_whole(folder / TAKEN, json.dumps(taken, indent=1).encode())
    return taken


def _forget(folder: Path) -> None:
    """Begin a folder anew: until all is written it holds no data set."""
    for name in (TAKEN, STAMP):
        (folder / name).unlink(missing_ok=True)


def _folder(given: str, data_dir: Path, bases: Path | None) -> Path:
    """Where a data set lies, or is to lie: see the module's docstring."""
    path = Path(given).expanduser()
    if _is_folder_of(given, data_dir):
        return data_dir / path.name
    described = _description(given)
    if given in (NONE, *KNOWN):
        return data_dir / name_of(given)
    found = _taken_from(given, data_dir, bases)
    if not described:
        return found[-1] if found else data_dir / name_of(given)
    now_described = [folder for folder in found if describes(described, folder)]
    if now_described or (found and bases is None):
        return (now_described or found)[-1]
    name = name_of(given)
    for number in count(1):
        folder = data_dir / (name if number == 1 else f"{name}.{number}")
        if _whole(folder) is None or (folder in found and bases is not None and not _newest_base(folder.name, bases)):
            break
    return folder


def _description(given: str) -> Path | None:
    return None if given in (NONE, *KNOWN) else description_of(given)


def _is_folder_of(given: str, data_dir: Path) -> bool:
    """Whether what is given is itself a data set that was taken."""
    path = Path(given).expanduser().resolve()
    return path.parent == data_dir.resolve() and (path / TAKEN).exists()


def _taken_from(given: str, data_dir: Path, bases: Path | None) -> list[Path]:
    """The data sets that were taken from what is given, the one last that was described last. Where an earlier version, which did
    not note it, has taken them, that is the one of the newest base; else their names decide."""
    sources = (_from(given, data_dir), str(Path(given).expanduser().resolve()))
    found = [each.parent for each in data_dir.glob(f"*/{TAKEN}") if read_json(each).get("from") in sources]
    return sorted(
        (each for each in found if _whole(each)),
        key=lambda folder: (
            _chosen_count(folder),
            0 if bases is None else _newest_base(folder.name, bases),
            len(folder.name),
            folder.name,
        ),
    )


def _note_chosen(folder: Path, given: str, data_dir: Path) -> None:
    """Note that this one, of the data sets that were taken from what is given, is described now: a base is to be made of it."""
    others = [_chosen_count(each) for each in _taken_from(given, data_dir, None) if each != folder]
    if others and _chosen_count(folder) <= max(others):
        write_whole(folder / CHOSEN, json.dumps({"count": max(others) + 1}).encode())


def _chosen_count(folder: Path) -> int:
    return int(read_json(folder / CHOSEN).get("count", 0))


def _whole(folder: Path) -> dict[str, Any] | None:
    """What taken.json holds; None where the data set was not taken whole, or by another version."""
    taken = read_json(folder / TAKEN)
    is_whole = (folder / HISTORY).exists() and (folder / ITEMS).exists()
    return taken if taken.get("version") == HISTORY_VERSION and is_whole else None


def _from(given: str, data_dir: Path) -> str:
    """What a data set was taken from: a path, a file in the home as seen from there, for a home may move; or a known name."""
    path = Path(given).expanduser()
    if given in (NONE, *KNOWN) or not (path.is_absolute() or path.exists()):
        return given
    home, whole = data_dir.resolve().parent, path.resolve()
    return str(whole.relative_to(home)) if whole.is_relative_to(home) and not whole.is_dir() else str(whole)


def _source_of(source: str, data_dir: Path) -> str:
    """The inverse of `_from`."""
    inside = data_dir.resolve().parent / source
    return str(inside) if inside.exists() else source


def _can_be_read(given: str) -> bool:
    """Whether the files may be there still, and may have changed."""
    path = Path(given).expanduser()
    if given in (NONE, *KNOWN) or not path.exists():
        return False
    described = _description(given)
    return described is None or all(file.exists() for file in read_description(described).files())


def _lacks_description(given: str, taken: dict[str, Any]) -> bool:
    """Whether a data set was taken from a folder by a description that is there no more."""
    return "described" in taken and Path(given).expanduser().is_dir() and not _description(given)


def _newest_base(name: str, bases: Path) -> int:
    """The number of the newest base that was made of the data set; 0 where there is none."""
    made = (path.parent.name for path in bases.glob(f"*/{MANIFEST}") if read_json(path).get("dataset") == name)
    return max((int(number) for number in made if number.isdecimal()), default=0)


def _check_source(given: str, folder: Path, taken: dict[str, Any], data_dir: Path) -> None:
    """Raise BadInput where a data set of this name was taken from another folder."""
    before, now = Path(_source_of(taken["from"], data_dir)), Path(given)
    if now.is_dir() and before.is_absolute() and before.resolve() != now.resolve():
        raise BadInput(
            "--dataset", f"a folder of another name than {folder.name}, which was taken from {before}", given
        )


def _print_changes(folder: Path, taken: dict[str, Any]) -> None:
    """Print where the files have changed since."""
    changed = [path for path, *then in taken["made_of"] if Path(path).exists() and _fingerprint(Path(path)) != then]
    if changed:
        print(f"{folder.name}: {changed[0]} has changed; what was taken from it stays (a new home takes it anew)")


def _fingerprint(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
