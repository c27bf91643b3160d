"""Mirrors the versions of models and their labels into a store, and what others have put there into the home.

    <store>/<name>/<version>/manifest.json    claims the number, once; the version is whole there when all files that it lists are
    <store>/<name>/<version>/…                those files, saved_model.pb last
    <store>/<name>/labels.json, last          the labels; the largest number ever given out

Copies of a home that name one store have the same versions and labels in the end, whichever of them trains, judges or discards.
What both had at the last sync says who changed what: a version that only one has is new if the other never had it, and was taken
away otherwise. A side that has no version at all of a model has lost them, and gets them from the other.
"""

import fcntl
import shutil
import time
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
from models.registry.transfer import adopt, make_way, never_below, take_away, take_labels

LOCK: Final = ".mirror.lock"
STATE: Final = ".mirror.json"
LAST: Final = "last"
ENTRY_POINT: Final = "saved_model.pb"
"""Which a model server takes as a sign that a version is whole."""


class MirrorState(msgspec.Struct, frozen=True):
    """What both had of one model at the last sync. It lies in the model's folder, and goes with it. uri: of the store."""

    uri: str
    versions: frozenset[int] = frozenset()
    labels: Labels | None = None


class Listing(msgspec.Struct):
    """What a store has of one version: paths of its files, within it, and when the newest of them was written (s)."""

    files: set[str] = msgspec.field(default_factory=set)
    written_at: float = 0.0

    @property
    def is_claimed(self) -> bool:
        return MANIFEST in self.files


class ModelMirror:
    """Mirrors one home's models. print_line gets a line for each change, and for what could not be."""

    def __init__(self, models: Path, store: FileStore, print_line: Callable[[str], None]) -> None:
        self._models, self._store, self._print_line = models, store, print_line

    def sync(self) -> bool:
        """Bring both sides together; returns False where another process is at it. What can't be done with one version is told,
        and holds up no other. Raises Unavailable where the store does not answer: the next sync goes on from there."""
        self._models.mkdir(parents=True, exist_ok=True)
        with _try_lock(self._models / LOCK) as is_held:
            if is_held:
                stored = self._listings()
                for name in sorted({*list_models(self._models), *stored}):
                    self._sync_model(name, stored.get(name, {}))
            return is_held

    def _listings(self) -> dict[str, dict[int, Listing]]:
        """Returns what the store has, by model and version."""
        found: dict[str, dict[int, Listing]] = {}
        for entry in self._store.entries():
            name, _, rest = entry.path.partition("/")
            number, _, file = rest.partition("/")
            if file and number.isascii() and number.isdecimal() and _is_model_name(name):
                listing = found.setdefault(name, {}).setdefault(int(number), Listing())
                listing.files.add(file)
                listing.written_at = max(listing.written_at, entry.written_at)
        return found

    def _sync_model(self, name: str, stored: dict[int, Listing]) -> None:
        claimed = {version for version, each in stored.items() if each.is_claimed}
        local, known = set(list_versions(self._models, name)), self._state(name).versions
        given = max(self._last_given(name), *claimed, 0)
        never_below(self._models, name, given)
        for version in sorted(claimed | local):
            with self._telling(name, version):
                if version in claimed and version in local:
                    if version not in known:
                        self._compare(name, version, stored[version])
                elif version in local:
                    if version not in known and version <= given:  # it was another one's, which was taken away
                        self._push(name, self._renumbered(name, version), Listing())
                    elif version in known and claimed:
                        self._take_away(name, version)
                    else:
                        self._push(name, version, Listing())
                elif version in known and local:
                    self._delete(name, version)
                else:
                    self._pull(name, version, stored[version])
        self._clean(name, stored)
        with self._telling(name, None):
            self._sync_labels(name)
        if (largest := never_below(self._models, name, given)) > self._last_given(name):
            self._store.write(f"{name}/{LAST}", f"{largest}\n".encode())

    def _last_given(self, name: str) -> int:
        """Returns the largest number that the store knows to have been given to a version; 0: it knows none."""
        text = self._store.read(f"{name}/{LAST}") or b""
        return int(text) if text.strip().isdigit() else 0

    @contextmanager
    def _telling(self, name: str, version: int | None) -> Iterator[None]:
        try:
            yield
        except (Broken, BadInput, OSError) as error:
            which = f"{name} {version}" if version is not None else f"labels of {name}"
            self._print_line(f"{which} stays as it is: {error}")

    def _push(self, name: str, version: int, stored: Listing) -> None:
        folder = version_folder(self._models, name, version)
        verify_digests(folder)
        if not stored.is_claimed and not self._store.create(
            f"{name}/{version}/{MANIFEST}", (folder / MANIFEST).read_bytes()
        ):
            return  # another one has the number: they are compared the next time
        missing = set(read_manifest(folder).digests) - stored.files
        for file in sorted(missing, key=lambda each: each == ENTRY_POINT):
            self._store.upload(folder / file, f"{name}/{version}/{file}")
        self._note(name, version)
        self._print_line(f"{name} {version} written to {self._store.uri}")

    def _compare(self, name: str, version: int, stored: Listing) -> None:
        """Go on with a version whose number is given here and there."""
        manifest = self._stored_manifest(name, version)
        if manifest is None:
            return
        if manifest.digests == read_manifest(version_folder(self._models, name, version)).digests:
            self._push(name, version, stored)
            return
        self._push(name, self._renumbered(name, version), Listing())
        self._pull(name, version, stored)

    def _renumbered(self, name: str, version: int) -> int:
        """Returns the number that a version has from now on."""
        number = make_way(self._models, name, version)
        self._print_line(f"{name} {version} is {number} from now on: another one has its number in {self._store.uri}")
        return number

    def _stored_manifest(self, name: str, version: int) -> Manifest | None:
        content = self._store.read(f"{name}/{version}/{MANIFEST}")
        try:
            return None if content is None else msgspec.json.decode(content, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Broken(f"{self._store.name_of(f'{name}/{version}/{MANIFEST}')} is not a manifest: {error}") from error

    def _pull(self, name: str, version: int, stored: Listing) -> None:
        manifest = self._stored_manifest(name, version)
        if manifest is None or not stored.files >= set(manifest.digests):
            return  # it is still being written
        staged = staging_folder(self._models, name)
        try:
            for file in (*manifest.digests, MANIFEST):
                target = staged / _inner_path(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not self._store.download(f"{name}/{version}/{file}", target):
                    return  # taken away meanwhile
            adopt(staged, self._models, name, version)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        self._note(name, version)
        self._print_line(f"{name} {version} read from {self._store.uri}")

    def _take_away(self, name: str, version: int) -> None:
        """Take away here what was taken away there. What a label names is written there again: it is needed."""
        try:
            take_away(self._models, name, version)
        except BadInput:
            self._push(name, version, Listing())
            return
        self._forget(name, version)
        self._print_line(f"{name} {version} taken away: it was in {self._store.uri}")

    def _delete(self, name: str, version: int) -> None:
        self._store.delete(f"{name}/{version}")
        self._forget(name, version)
        self._print_line(f"{name} {version} deleted in {self._store.uri}: it was taken away here")

    def _clean(self, name: str, stored: dict[int, Listing]) -> None:
        """Delete what of a version was left in the store a day ago, by whoever did not come to its end."""
        known = self._state(name).versions
        for version, listing in stored.items():
            is_old = listing.written_at < time.time() - DAY_S
            if is_old and version not in known and version not in list_versions(self._models, name):
                with self._telling(name, version):
                    manifest = self._stored_manifest(name, version) if listing.is_claimed else None
                    if manifest is None or not listing.files >= set(manifest.digests):
                        self._store.delete(f"{name}/{version}")

    def _sync_labels(self, name: str) -> None:
        path = f"{name}/{LABELS}"
        own, before = read_labels(self._models, name), self._state(name).labels
        content = self._store.read(path)
        stored = None if content is None else _decoded_labels(content, self._store.name_of(path))
        agreed = own
        if own != stored:
            if stored is not None and (own is None or own == before or (stored != before and _at(stored) >= _at(own))):
                if not take_labels(self._models, name, stored, own):
                    return  # given anew meanwhile
                agreed = stored
                self._print_line(f"labels of {name} read from {self._store.uri}")
            elif own is not None:
                if not self._state(name).versions.issuperset(own.named().values()):
                    return  # first what they name
                self._store.write(path, msgspec.json.format(msgspec.json.encode(own), indent=1))
                self._print_line(f"labels of {name} written to {self._store.uri}")
        if agreed is not None and agreed != before:
            self._write_state(name, labels=agreed)

    def _note(self, name: str, version: int) -> None:
        self._write_state(name, versions=self._state(name).versions | {version})

    def _forget(self, name: str, version: int) -> None:
        self._write_state(name, versions=self._state(name).versions - {version})

    def _state(self, name: str) -> MirrorState:
        """Returns what both had; nothing where it can't be read or is of another store: then both sides are compared."""
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
