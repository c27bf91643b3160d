"""What a home holds of each of its bases: its folder, training data, the log as the data set that it was made of; and which of
them are removed."""

import shutil
from collections.abc import Collection
from pathlib import Path

from features.base.reader import MANIFEST, Base
from infra.home.paths import Home, read_json
from infra.home.record import HomeRecord
from offline.datasets.dataset_names import LEARNED, LISTS, SAMPLES, TAKEN


def samples_folder(home: Home, number: int) -> Path:
    return home.data / f"{SAMPLES}{number}"


def ranking_lists_folder(home: Home, number: int) -> Path:
    return home.data / f"{LISTS}{number}"


def log_folder(home: Home, number: int) -> Path:
    """Returns where the log is, as the data set that base `number` is made of."""
    return home.data / f"{LEARNED}{number}"


def remove_learned(home: Home, number: int) -> None:
    """Remove the logs that were kept as data sets, and their training data, to which neither base `number` goes back, nor the
    base in use or the one to come, as the home's record now has them."""
    record = HomeRecord(home)
    used = {Base(home.bases / str(each)).data_base for each in (number, record.base_number, record.newest_base) if each}
    for old in _numbers_in(home.data, LEARNED) - used:
        log = log_folder(home, old)
        if _taken_from(log) == log.name:
            _remove(log, samples_folder(home, old), ranking_lists_folder(home, old))


def remove_bases(home: Home, retained: Collection[int | None]) -> None:
    """Remove the bases that are none of these, nor what these go back to, and their training data, also that of bases which are
    gone. Newer ones stay like these: whoever has made one goes on with what belongs to it, and records it at last."""
    numbers = _numbers_in(home.bases, "")
    newest = max(numbers.intersection(retained), default=0)
    stay = {number for number in numbers if number in retained or number > newest}
    manifests = [read_json(home.bases / str(number) / MANIFEST) or {} for number in stay]
    behind = {manifest[name] for manifest in manifests for name in ("root", "data_base") if name in manifest}
    learned = {each for name in (SAMPLES, LISTS) for each in _numbers_in(home.data, name) if each <= newest}
    for number in (numbers | learned) - stay - behind:
        remove_base(home, number)


def remove_base(home: Home, number: int) -> None:
    """Remove a base, the log as the data set that it was made of, and its training data."""
    _remove(home.bases / str(number), samples_folder(home, number), ranking_lists_folder(home, number))
    log = log_folder(home, number)
    if _taken_from(log) in ("", log.name):
        _remove(log)


def _taken_from(folder: Path) -> str:
    """Returns what a data set was taken from: a log from itself, people's own from another folder; "" while it is being made."""
    return str((read_json(folder / TAKEN) or {}).get("from", ""))


def _numbers_in(parent: Path, name: str) -> set[int]:
    """Returns the numbers of the folders that are called by a name and a number."""
    found = (folder.name.removeprefix(name) for folder in parent.glob(f"{name}*"))
    return {int(number) for number in found if number.isdecimal()}


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
