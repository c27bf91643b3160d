"""The MovieLens data sets that GroupLens publishes, downloaded and checked."""

import hashlib
import shutil
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Final, NamedTuple

from features.durable import atomic_file
from features.errors import Broken, Unavailable

BASE_URL: Final = "https://files.grouplens.org/datasets/movielens"
TIMEOUT: Final = 30.0
"""Seconds that one read may take."""
DEADLINE: Final = 3600.0
"""Seconds that a whole download may take."""
_CHUNK: Final = 1 << 20


class Archive(NamedTuple):
    """A zip of GroupLens: the files taken from it, its published MD5 ("" where none is known for certain: then the
    zip's own checksums and the number of rating lines, where that is fixed, must do)."""

    members: tuple[str, ...]
    md5: str = ""
    lines: int = 0


_CSV: Final = ("ratings.csv", "movies.csv")
ARCHIVES: Final = {
    "ml-latest-small": Archive(_CSV),
    "ml-1m": Archive(("ratings.dat", "movies.dat", "users.dat"), "c4d9eecfca2ab87c1945afe126590906"),
    "ml-25m": Archive(_CSV, "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": Archive(_CSV, lines=32_000_205),
}


def fetch_archive(name: str, folder: Path, base_url: str = BASE_URL) -> None:
    """Download `name`, check it and put its files into `folder`.

    Raises Unavailable if it can't be had in time, Broken if what came is not what GroupLens published.
    """
    archive = ARCHIVES[name]
    folder.mkdir(parents=True, exist_ok=True)
    archive_path = folder / f"{name}.zip.part"
    try:
        got = _download(f"{base_url}/{name}.zip", archive_path)
        if archive.md5 and got != archive.md5:
            raise Broken(f"{name}.zip has MD5 {got}, GroupLens publishes {archive.md5}: not used; try again")
        _unpack(name, archive, archive_path, folder)
    except OSError as error:  # URLError and timeouts are OSErrors
        reason = getattr(error, "reason", None) or error
        raise Unavailable(
            f"could not download {base_url}/{name}.zip: {reason}. Without internet, get that file elsewhere, unpack it "
            f"and pass --dataset FOLDER"
        ) from error
    finally:
        archive_path.unlink(missing_ok=True)


def _download(url: str, archive_path: Path) -> str:
    """Stream `url` into the file `archive_path` and print the progress; the MD5 of its content, hex."""
    digest, done, began, reported_at = hashlib.md5(usedforsecurity=False), 0, time.monotonic(), 0.0
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, archive_path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            now = time.monotonic()
            if now - began > DEADLINE:
                raise TimeoutError(f"not done after {DEADLINE:.0f} s ({done >> 20} MB came)")
            if now - reported_at > 2:
                reported_at = now
                share = f" of {size >> 20} MB" if size else " MB"
                print(f"downloading {url}: {done >> 20}{share}", file=sys.stderr, flush=True)
    if size and done != size:
        raise ConnectionError(f"the connection ended after {done} of {size} bytes")
    return digest.hexdigest()


def _unpack(name: str, archive: Archive, path: Path, folder: Path) -> None:
    """Take the members out, each checked by the zip's CRC; the ratings come last: they are there only if all are."""
    try:
        with zipfile.ZipFile(path) as packed:
            for member in sorted(archive.members, key=lambda member: member.startswith("ratings")):
                with packed.open(f"{name}/{member}") as inside, atomic_file(folder / member) as temporary:
                    with temporary.open("wb") as file:
                        shutil.copyfileobj(inside, file, _CHUNK)
                    if archive.lines and member.startswith("ratings") and (got := _lines(temporary)) != archive.lines:
                        raise Broken(f"{name}/{member} has {got} lines, expected {archive.lines}: not used; try again")
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise Broken(f"{name}.zip is not the archive expected: {error}; try again") from error


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
