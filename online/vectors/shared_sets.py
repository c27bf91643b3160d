"""Sets of vectors that all API processes of a machine map: one of them makes a set, in a folder that is renamed once it is whole;
the others wait for it.

    <folder>/<kind>-<version>-<key>/digests.json    SHA-256 by file name of all else
                                    vectors.npy     float32 [n, W]; or, of many,
                                    vectors.faiss   the index, its vectors in half precision
                                    gram.npy        float64 [W, W], of ALS alone (see `features.base.embedding_files.FoldIn`)

The key is made of the digest of the vectors' own file and of the parameters of the set, the library's version among them, so
what was made of others is never found. What was cut or changed is made anew. Nothing in the folder is needed: a process that
can't write there has its sets in its own memory.
"""

import errno
import hashlib
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from features.arrays import DoubleArray
from features.base.embedding_files import ALS
from features.durable import atomic_folder, discard_unfinished
from features.errors import Broken, Unavailable
from online.vectors.vector_sets import ARRAY_FILE, EXACT_UP_TO, INDEX_FILE, VectorSet, file_size, parameters, read_set

logger = logging.getLogger(__name__)

WAIT: Final = 900.0
"""Seconds to wait for a set that another process is making; then it is made in one's own memory, too."""
POLL: Final = 0.2
DIGESTS_FILE, GRAM_FILE = "digests.json", "gram.npy"
FORMAT: Final = 1
"""Of the files of a set; one of another format is made anew."""
_digests = msgspec.json.Decoder(dict[str, str])


class Prepared(NamedTuple):
    """A kind's vectors as they are searched; gram: of ALS alone."""

    vectors: VectorSet
    gram: DoubleArray | None


@dataclass(frozen=True)
class Source:
    """What a set is made of. digest: of the file of `count` vectors of `width` columns."""

    kind: str
    version: int
    digest: str
    count: int
    width: int

    @property
    def has_gram(self) -> bool:
        """Whether users are folded in by these vectors' gram: of ALS alone."""
        return self.kind == ALS


class SharedSets:
    """The sets in a folder; without a folder each process has its own in memory."""

    def __init__(
        self, folder: Path | None, exact_up_to: int = EXACT_UP_TO, wait: float = WAIT, file_format: int = FORMAT
    ) -> None:
        self._folder, self._exact_up_to, self._wait, self._format = folder, exact_up_to, wait, file_format
        self._stopping = threading.Event()
        self._cleaned: dict[str, tuple[frozenset[int], str | None]] = {}

    def stop(self) -> None:
        """End the waits: from now on `open` raises Unavailable where it would wait."""
        self._stopping.set()

    def open(self, source: Source, make: Callable[[], Prepared]) -> Prepared:
        """The set of a source, mapped; if there is none, `make` makes it. May take minutes: the making, and before it a wait of
        at most WAIT. Raises what `make` raises, and Unavailable after `stop`."""
        if self._folder is None:
            return make()
        path = self._path(source)
        deadline = time.monotonic() + self._wait
        while True:
            if (found := _read(path, source)) is not None:
                return found
            try:
                return _make(path, source, file_size(source.count, source.width, self._exact_up_to), make)
            except Unavailable:
                if time.monotonic() > deadline:
                    logger.warning("%s: not made by another process after %.0f s, so made here alone", path, self._wait)
                    return make()
                if self._stopping.wait(POLL):
                    raise

    def _path(self, source: Source) -> Path:
        assert self._folder is not None
        shape = f"{source.count} x {source.width}"
        made_of = f"{self._format}, {source.digest}, {shape}, {parameters(source.count, self._exact_up_to)}"
        key = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        return self._folder / f"{source.kind}-{source.version}-{key}"

    def remove_stale(self, kind: str, versions: Callable[[], Collection[int]], used: Source | None) -> None:
        """Remove a kind's sets whose vectors are no longer among the versions on disk, and those that the one in use supersedes;
        never that one. While one is in use, no versions at all mean a folder that is being replaced, and remove nothing. A
        process that has a removed set mapped keeps it until it lets go."""
        if self._folder is None or not self._folder.is_dir():
            return
        current = None if used is None else self._path(used).name
        # in this order: vectors are there before their set, so a set that came meanwhile is not taken for one without
        sets = list(self._folder.iterdir())
        present = frozenset(versions())
        seen = present, current
        if self._cleaned.get(kind) == seen:
            return
        for path in sets:
            name = path.name.removesuffix(".tmp")
            named = re.fullmatch(rf"{kind}-(\d+)-[0-9a-f]{{16}}", name)
            if named is None or name == current:
                continue
            version = int(named[1])
            is_superseded = used is not None and version <= used.version
            is_withdrawn = version not in present and (used is None or bool(present))
            if is_superseded or is_withdrawn:
                _remove(path)
        self._cleaned[kind] = seen


def _read(path: Path, source: Source) -> Prepared | None:
    """The set in a folder; None where there is none that can be used."""
    if not path.is_dir():
        return None
    try:
        digests = _digests.decode((path / DIGESTS_FILE).read_bytes())
        files = sorted({ARRAY_FILE, INDEX_FILE} & digests.keys())
        if len(files) != 1 or (source.has_gram and GRAM_FILE not in digests):
            raise Broken(f"{DIGESTS_FILE} does not name what is needed, but {sorted(digests)}")
        for name, digest in digests.items():
            if _digest(path / name) != digest:
                raise Broken(f"{name} was changed or cut")
        found = read_set(path / files[0])
        if (len(found), found.width) != (source.count, source.width):
            raise Broken(f"expected {source.count} vectors of {source.width}, got {len(found)} of {found.width}")
        return Prepared(found, np.load(path / GRAM_FILE, allow_pickle=False) if source.has_gram else None)
    except (OSError, ValueError, msgspec.DecodeError, Broken) as error:
        logger.warning("%s is not used, it is made anew: %s", path, error)
        return None


def _make(path: Path, source: Source, size: int, make: Callable[[], Prepared]) -> Prepared:
    """Make a set and its folder, and return it mapped; where the folder can't be written, as it was made. Where its file of about
    `size` bytes does not fit on the disk, the lock is let go before the making, and other processes make theirs meanwhile. Raises
    Unavailable while another process makes it."""
    made: Prepared | None = None
    began = time.monotonic()
    try:
        with atomic_folder(path) as staging:
            if (found := _read(path, source)) is not None:
                raise _Found(found)
            if path.exists():
                shutil.rmtree(path)
            # under the lock: another process' file of this set is whole, or not begun
            free = shutil.disk_usage(staging).free
            if free < size:
                raise OSError(errno.ENOSPC, f"{size >> 20} MB are needed, and {free >> 20} are free")
            made = make()
            _write(made, staging)
    except _Found as other:
        return other.prepared
    except OSError as error:
        logger.warning("%s can't be written, this process has the vectors in its own memory: %s", path, error)
        return make() if made is None else made
    logger.info("%s: made of %d vectors in %.1f s", path, source.count, time.monotonic() - began)
    return _read(path, source) or made


class _Found(Exception):
    """Another process has made the set meanwhile."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self.prepared = prepared


def _write(prepared: Prepared, folder: Path) -> None:
    prepared.vectors.write(folder)
    if prepared.gram is not None:
        np.save(folder / GRAM_FILE, prepared.gram)
    digests = {each.name: _digest(each) for each in sorted(folder.iterdir())}
    (folder / DIGESTS_FILE).write_bytes(msgspec.json.encode(digests))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    try:
        if path.suffix == ".tmp":
            discard_unfinished(path.with_suffix(""))
        else:
            shutil.rmtree(path)
    except FileNotFoundError:  # another process removes it, too
        pass
    except OSError as error:
        logger.warning("%s can't be removed: %s", path, error)
