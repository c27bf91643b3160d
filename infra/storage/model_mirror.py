"""Mirrors the versions of models and their labels into a store, and what others have put there into the home.

    <store>/<name>/<version>/manifest.json      claims the number, once; all files that it lists there: a whole version
    <store>/<name>/<version>/…                  those files, saved_model.pb last
    <store>/<name>/withdrawn/<number>-<content> a mark for each version that was taken away on purpose
    <store>/<name>/labels.json, last            the labels; the largest number ever given out

Copies of a home that name one store have the same versions and labels in the end, whichever of them trains, judges or discards.
A version is only ever taken away where a mark says so, here (`models.registry.withdrawn`) or there; one that a side lacks without
a mark is brought to it, be it new or lost.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from features.durable import write_whole
from features.errors import BadInput, Broken
from features.units import DAY_S
from infra.storage.file_store import FileStore
from models.registry import (
    MANIFEST,
    Labels,
    Manifest,
    list_models,
    list_versions,
    read_labels,
    read_manifest,
    staging_folder,
    verify_digests,
    version_folder,
)
from models.registry.labels import LABELS
from models.registry.manifest import content_id
from models.registry.transfer import adopt, make_way, never_below, note_others, take_labels
from models.registry.versions import take_away
from models.registry.withdrawn import Withdrawn, parse_withdrawn, read_withdrawn, remembered

LOCK: Final = ".mirror.lock"
STATE: Final = ".mirror.json"
LAST: Final = "last"
MARKS: Final = "withdrawn"
ENTRY_POINT: Final = "saved_model.pb"
"""Which a model server takes as a sign that a version is whole."""


class Seen(msgspec.Struct, frozen=True):
    """A manifest of the store, read. at: when it was written (s); content: `models.registry.manifest.content_id`; files: that it
    lists."""

    at: float
    content: str
    files: tuple[str, ...]


class MirrorState(msgspec.Struct, frozen=True):
    """What is known of one model in a store. uri: of the store; labels: as both had them at the last sync. It lies in the model's
    folder and may be lost: then all is compared anew."""

    uri: str
    seen: dict[int, Seen] = {}
    labels: Labels | None = None


class Listing(msgspec.Struct):
    """What a store has of one version: its files by their paths within it, and when each was written (s)."""

    files: dict[str, float] = msgspec.field(default_factory=dict)


class Stored(msgspec.Struct):
    """What a store has of one model."""

    versions: dict[int, Listing] = msgspec.field(default_factory=dict)
    withdrawn: set[Withdrawn] = msgspec.field(default_factory=set)

    @property
    def claimed(self) -> set[int]:
        """Versions whose manifest is there."""
        return {version for version, each in self.versions.items() if MANIFEST in each.files}


class ModelMirror:
    """Mirrors one home's models. print_line gets a line for each change, and for what could not be."""

    def __init__(self, models: Path, store: FileStore, print_line: Callable[[str], None]) -> None:
        self._models, self._store, self._print_line = models, store, print_line
        self._refused: dict[tuple[str, int], float] = {}
        """When the manifest was written of versions that were brought here and would not do."""

    def sync(self) -> bool:
        """Bring both sides together; returns False where another process is at it. What can't be done with one version or model
        is told, and holds up no other. Raises Unavailable where the store does not answer: the next sync goes on from there."""
        self._models.mkdir(parents=True, exist_ok=True)
        with _try_lock(self._models / LOCK) as is_held:
            if is_held:
                stored = self._listings()
                for name in sorted({*list_models(self._models), *stored}):
                    with self._telling(name):
                        self._sync_model(name, stored.get(name, Stored()))
            return is_held

    def _listings(self) -> dict[str, Stored]:
        """Returns what the store has, by model."""
        found: dict[str, Stored] = {}
        for entry in self._store.entries():
            name, _, rest = entry.path.partition("/")
            folder, _, file = rest.partition("/")
            if not file or not _is_model_name(name):
                continue
            if folder.isascii() and folder.isdecimal():
                listing = found.setdefault(name, Stored()).versions.setdefault(int(folder), Listing())
                listing.files[file] = entry.written_at
            elif folder == MARKS and (mark := parse_withdrawn(file)) is not None:
                found.setdefault(name, Stored()).withdrawn.add(mark)
        return found

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (Broken, BadInput, OSError) as error:
            self._print_line(f"{what} stays as it is: {error}")

    def _sync_model(self, name: str, stored: Stored) -> None:
        given = max(self._last_given(name), *stored.claimed, *(each.version for each in stored.withdrawn), 0)
        never_below(self._models, name, given)
        withdrawn = self._spread_marks(name, stored)
        for version in sorted(stored.claimed - {*list_versions(self._models, name)}):
            with self._telling(f"{name} {version}"):
                self._pull_or_delete(name, version, stored.versions[version], withdrawn)
        local = {*list_versions(self._models, name)}
        for mark in sorted(each for each in withdrawn if each.version in local):
            with self._telling(f"{name} {mark.version}"):
                self._take_away(name, mark)
        whole: set[int] = set()
        for version in list_versions(self._models, name):
            with self._telling(f"{name} {version}"):
                if self._push(name, version, stored.versions.get(version, Listing()), withdrawn):
                    whole.add(version)
        self._clean(name, stored)
        with self._telling(f"labels of {name}"):
            self._sync_labels(name, whole)
        if (largest := never_below(self._models, name, given)) > self._last_given(name):
            self._store.write(f"{name}/{LAST}", f"{largest}\n".encode())

    def _last_given(self, name: str) -> int:
        """Returns the largest number that the store knows to have been given to a version; 0: it knows none."""
        text = self._store.read(f"{name}/{LAST}") or b""
        return int(text) if text.strip().isdigit() else 0

    def _spread_marks(self, name: str, stored: Stored) -> set[Withdrawn]:
        """Note here what was taken away there, and there what was here; returns both, as far as they are remembered."""
        own = read_withdrawn(self._models, name)
        both = {*remembered(own | stored.withdrawn)}
        if both - own:
            note_others(self._models, name, both)
        for mark in both - stored.withdrawn:
            self._store.write(f"{name}/{MARKS}/{mark}", b"")
        return both

    def _pull_or_delete(self, name: str, version: int, listing: Listing, withdrawn: set[Withdrawn]) -> None:
        seen = self._seen(name, version, listing)
        if seen is None:
            return
        if Withdrawn(version, seen.content) in withdrawn:
            self._store.delete(f"{name}/{version}")
            self._print_line(f"{name} {version} deleted in {self._store.uri}: it was taken away")
        elif listing.files.keys() >= set(seen.files) and self._refused.get((name, version)) != seen.at:
            self._pull(name, version, seen)

    def _pull(self, name: str, version: int, seen: Seen) -> None:
        """Bring a version here. One that will not do is not brought again until another is in its place."""
        staged = staging_folder(self._models, name)
        try:
            for file in (*seen.files, MANIFEST):
                target = staged / _inner_path(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not self._store.download(f"{name}/{version}/{file}", target):
                    return  # taken away meanwhile
            adopt(staged, self._models, name, version)
        except Broken:
            self._refused[name, version] = seen.at
            raise
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        self._print_line(f"{name} {version} read from {self._store.uri}")

    def _take_away(self, name: str, mark: Withdrawn) -> None:
        """Take away here what was taken away there. What a label names here gets another number, and stays."""

        def labelled() -> list[int]:
            return list((read_labels(self._models, name) or Labels()).named().values())

        try:
            if take_away(self._models, name, mark, labelled):
                self._print_line(f"{name} {mark.version} taken away: it was in another copy")
        except BadInput:
            if mark.version in labelled():
                self._renumber(name, mark.version, "it was taken away in another copy, and a label names it here")

    def _push(self, name: str, version: int, listing: Listing, withdrawn: set[Withdrawn]) -> bool:
        """Bring a version there, or what is missing of it; returns whether all of it is there."""
        folder = version_folder(self._models, name, version)
        manifest = read_manifest(folder)
        own = content_id(manifest)
        if Withdrawn(version, own) in withdrawn:  # the only one here: another comes, and it goes
            return False
        if MANIFEST in listing.files:
            seen = self._seen(name, version, listing)
            if seen is None:
                return False
            if seen.content != own:
                self._renumber(name, version, f"another one has its number in {self._store.uri}")
                return False
        elif any(each.version == version for each in withdrawn):
            self._renumber(name, version, "another one had its number, and was taken away")
            return False
        missing = set(manifest.digests) - listing.files.keys()
        if not missing and MANIFEST in listing.files:
            return True
        verify_digests(folder)
        content = (folder / MANIFEST).read_bytes()
        path = f"{name}/{version}/{MANIFEST}"
        if MANIFEST not in listing.files and not (
            self._store.create(path, content) and self._store.read(path) == content
        ):
            return False  # another one has the number: they are compared the next time
        for file in sorted(missing, key=lambda each: each == ENTRY_POINT):
            self._store.upload(folder / file, f"{name}/{version}/{file}")
        self._print_line(f"{name} {version} written to {self._store.uri}")
        return True

    def _renumber(self, name: str, version: int, why: str) -> None:
        """Give a version of this home another number, the next one; the next sync brings it to the store."""
        number = make_way(self._models, name, version)
        self._print_line(f"{name} {version} is {number} from now on: {why}")

    def _seen(self, name: str, version: int, listing: Listing) -> Seen | None:
        """Returns the manifest of the store, read once for as long as it is not another; None where it has gone."""
        at, state = listing.files[MANIFEST], self._state(name)
        if (known := state.seen.get(version)) is not None and known.at == at:
            return known
        path = f"{name}/{version}/{MANIFEST}"
        content = self._store.read(path)
        if content is None:
            return None
        try:
            manifest = msgspec.json.decode(content, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Broken(f"{self._store.name_of(path)} is not a manifest: {error}") from error
        seen = Seen(at, content_id(manifest), tuple(manifest.digests))
        self._write_state(name, seen={**state.seen, version: seen})
        return seen

    def _clean(self, name: str, stored: Stored) -> None:
        """Delete what of a version was left in the store a day before the newest of all that it has of the model, by whoever did
        not come to its end."""
        times = [max(each.files.values()) for each in stored.versions.values()]
        for version, listing in stored.versions.items():
            is_old = max(listing.files.values()) < max(times) - DAY_S
            if is_old and version not in list_versions(self._models, name):
                with self._telling(f"{name} {version}"):
                    seen = self._seen(name, version, listing) if MANIFEST in listing.files else None
                    if seen is None or not listing.files.keys() >= set(seen.files):
                        self._store.delete(f"{name}/{version}")

    def _sync_labels(self, name: str, whole: set[int]) -> None:
        """Bring the labels together. whole: versions that are here and, with all their files, there."""
        path = f"{name}/{LABELS}"
        own, before = read_labels(self._models, name), self._state(name).labels
        content = self._store.read(path)
        stored = None if content is None else _decoded_labels(content, self._store.name_of(path))
        agreed = own
        if own != stored:
            if stored is not None and (own is None or own == before or (stored != before and _at(stored) >= _at(own))):
                if not {*stored.named().values()} <= {*list_versions(self._models, name)}:
                    return  # first what they name
                if not take_labels(self._models, name, stored, own):
                    return  # given anew meanwhile
                agreed = stored
                self._print_line(f"labels of {name} read from {self._store.uri}")
            elif own is not None:
                if not {*own.named().values()} <= whole:
                    return  # first what they name
                self._store.write(path, msgspec.json.format(msgspec.json.encode(own), indent=1))
                self._print_line(f"labels of {name} written to {self._store.uri}")
        if agreed is not None and agreed != before:
            self._write_state(name, labels=agreed)

    def _state(self, name: str) -> MirrorState:
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            state = msgspec.json.decode((self._models / name / STATE).read_bytes(), type=MirrorState)
            if state.uri == self._store.uri:
                return state
        return MirrorState(self._store.uri)

    def _write_state(self, name: str, **changes: object) -> None:
        state = msgspec.structs.replace(self._state(name), **changes)
        write_whole(self._models / name / STATE, msgspec.json.encode(state))


def _is_model_name(name: str) -> bool:
    return name.replace("_", "").replace("-", "").isalnum()


def _inner_path(file: str) -> PurePosixPath:
    """Returns the path of a version's file. Raises Broken for one that leads out of its folder."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        raise Broken(f"expected a path within a version, got {file!r}")
    return path


def _decoded_labels(content: bytes, name: str) -> Labels:
    try:
        return msgspec.json.decode(content, type=Labels)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{name}: expected labels of versions, got {error}") from error


def _at(labels: Labels) -> int:
    """Returns when the newest decision was made (ms)."""
    return labels.decisions[-1].ts if labels.decisions else 0


@contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does; yields whether it is held."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
