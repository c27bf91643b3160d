"""Checkpoints and savepoints of a home: listing, refusing unreadable ones, deleting old ones."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from features.errors import Unavailable
from infra.home.paths import Home
from infra.storage.file_store import FileStore, FolderStore, Stored

_REFUSED = "REFUSED"
_GENERATION = "generation-"
"""What the name of an empty file begins with that says of which generation all others are."""
_COMPLETE = re.compile("([^/]+/chk-[^/]+|savepoint-[^/]+)/_metadata")
_JOB = re.compile("[0-9a-f]{32}")
INTERVAL_S = 30
"""Seconds from the end of a checkpoint to the beginning of the next: so much of the log is read again after a crash, at most."""
RETAINED = 6
"""Number of checkpoints that Flink retains: some three minutes to go back to."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint or savepoint. path: below its store; completed_at: wall time, s."""

    path: str
    completed_at: float

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def retained(store: FileStore) -> list[Checkpoint]:
    """Returns the complete checkpoints that were not refused, newest first. Raises Unavailable."""
    return _complete(store.entries())


def _complete(entries: list[Stored]) -> list[Checkpoint]:
    paths = {each.path for each in entries}
    found = [
        Checkpoint(each.path.removesuffix("/_metadata"), each.written_at)
        for each in entries
        if _COMPLETE.fullmatch(each.path) and each.path.replace("_metadata", _REFUSED) not in paths
    ]
    return sorted(found, key=lambda each: each.completed_at, reverse=True)


def refuse(store: FileStore, checkpoint: Checkpoint, reason: str) -> None:
    """Never start from this checkpoint again; its files stay for inspection. Raises Unavailable."""
    store.write(f"{checkpoint.path}/{_REFUSED}", f"{time.strftime('%Y-%m-%d %H:%M:%S')} {reason}\n".encode())


def forget(store: FileStore) -> None:
    """Delete all checkpoints, as when the generation rises: states then start from the base. Raises Unavailable where one that is
    complete is left: a job would start from it."""
    store.delete("")
    if left := retained(store):
        raise Unavailable(f"{store.uri}: of the checkpoints {len(left)} could not be deleted, {left[0].path} for one")


def admit(store: FileStore, generation: int) -> None:
    """See to it that all checkpoints are of this generation: a store that was used before, and not since, has older ones, which
    are deleted. Those of a store that has none marked are taken to be of it. Raises Unavailable."""
    mark = f"{_GENERATION}{generation}"
    marked = {each.path for each in store.entries() if each.path.startswith(_GENERATION)}
    if marked - {mark}:
        forget(store)
    if marked != {mark}:
        store.write(mark, b"")


def drop_superseded(store: FileStore, job: str) -> None:
    """Delete the checkpoints of jobs before this one, refused ones too, once it has RETAINED newer ones of its own: Flink deletes
    those of the job that runs alone. Raises Unavailable."""
    entries = store.entries()
    own = [each.completed_at for each in _complete(entries) if each.path.startswith(f"{job}/")]
    if len(own) < RETAINED:
        return
    for folder, newest in _newest_by_folder(entries).items():
        if folder != job and _JOB.fullmatch(folder) and newest < min(own):
            store.delete(folder)


def drop_impossible(store: FileStore, newest: str) -> None:
    """Delete what was completed later, by its clock, than the checkpoint at the path `newest`, which came last: the clock was set
    back since, and the next start would take one of them for the newest. Raises Unavailable."""
    found = retained(store)
    last = next((each.completed_at for each in found if each.path == newest), None)
    for each in found:
        if last is not None and each.completed_at > last:
            store.delete(each.path)


def drop_older_savepoints(store: FileStore, limit: int = 2) -> None:
    """Delete all savepoints but the newest `limit`; Flink itself deletes none. Raises Unavailable."""
    newest = _newest_by_folder(store.entries())
    savepoints = sorted(filter(_is_savepoint, newest), key=lambda folder: newest[folder], reverse=True)
    for folder in savepoints[limit:]:
        store.delete(folder)


def _is_savepoint(folder: str) -> bool:
    return folder.startswith("savepoint-")


def _newest_by_folder(entries: Iterable[Stored]) -> dict[str, float]:
    """Returns when the newest complete checkpoint of each folder at the top was written, or else what is newest in it."""
    newest: dict[str, tuple[bool, float]] = {}
    for each in entries:
        folder, _, rest = each.path.partition("/")
        newest[folder] = max(newest.get(folder, (False, 0.0)), (rest.endswith("_metadata"), each.written_at))
    return {folder: written_at for folder, (_, written_at) in newest.items()}


def own_store(home: Home) -> FileStore:
    """Returns the store of checkpoints in a home's own folder."""
    return FolderStore(home.checkpoints)
