"""Where files of a home lie: its own folder, another one, or a bucket of S3 (`infra.storage.bucket_store`)."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from features.durable import atomic_file, link_or_copy, sync_path, write_whole
from features.errors import Unavailable

_FILE: Final = "file:"


def file_uri(path: Path) -> str:
    """Returns the name by which Flink is told of a file or a folder: its absolute path as it is, since Flink decodes nothing."""
    return f"{_FILE}//{path}"


class Stored(NamedTuple):
    """A file, or a folder where there are some in themselves: its path below the store, and when it was written (s; where whole
    seconds are told, the end of that second)."""

    path: str
    written_at: float


class FileStore(Protocol):
    """Files by their paths below the store. uri: by which Flink is told of it."""

    uri: str

    def entries(self) -> list[Stored]:
        """Returns what there is. Raises Unavailable."""
        ...

    def read(self, path: str) -> bytes | None:
        """Returns a file's content, None where there is none. Raises Unavailable."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole. Raises Unavailable."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Write a file whole, unless there is one; returns whether there was none. Raises Unavailable."""
        ...

    def upload(self, source: Path, path: str) -> None:
        """Write a file of this machine there, whole. Raises Unavailable, OSError where it can't be read."""
        ...

    def download(self, path: str, target: Path) -> bool:
        """Write a file of the store to this machine; returns False where there is none. Raises Unavailable, OSError where it
        can't be written."""
        ...

    def delete(self, folder: str) -> None:
        """Delete what lies in a folder, "" for all; what can't be deleted stays."""
        ...

    def uri_of(self, path: str) -> str:
        """Returns the name by which Flink is told of what lies there."""
        ...

    def name_of(self, path: str) -> str:
        """Returns the name by which people are told of it."""
        ...

    def path_of(self, uri: str) -> str | None:
        """Returns the path below the store of what Flink names so; None of what lies elsewhere."""
        ...

    def flink_settings(self) -> dict[str, object]:
        """Returns the settings by which Flink's processes reach it."""
        ...


class FolderStore:
    """A folder of the machine, by its absolute path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.uri = file_uri(folder)

    def entries(self) -> list[Stored]:
        if not self._folder.parent.is_dir():  # what was mounted there is away
            raise Unavailable(f"{self._folder.parent}: no such folder")
        found = []
        for parent, folders, files in os.walk(self._folder, onerror=self._refuse):
            for name in (*folders, *files):
                path = Path(parent) / name
                with suppress(FileNotFoundError):  # deleted meanwhile
                    found.append(Stored(path.relative_to(self._folder).as_posix(), path.stat().st_mtime))
        return found

    def _refuse(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise self._unavailable(error) from error

    def read(self, path: str) -> bytes | None:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def write(self, path: str, content: bytes) -> None:
        try:
            write_whole(self._parent_made(path), content)
        except OSError as error:
            raise self._unavailable(error) from error

    def create(self, path: str, content: bytes) -> bool:
        try:
            target = self._parent_made(path)
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            try:
                temporary.write_bytes(content)
                sync_path(temporary)
                link_or_copy(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
            sync_path(target.parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._unavailable(error) from error
        return True

    def upload(self, source: Path, path: str) -> None:
        with source.open("rb") as file:
            try:
                with atomic_file(self._parent_made(path)) as temporary, temporary.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
            except OSError as error:
                raise self._unavailable(error) from error

    def download(self, path: str, target: Path) -> bool:
        try:
            file = (self._folder / path).open("rb")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unavailable(error) from error
        with file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        return True

    def _parent_made(self, path: str) -> Path:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def delete(self, folder: str) -> None:
        shutil.rmtree(self._folder / folder, ignore_errors=True)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)

    def uri_of(self, path: str) -> str:
        return file_uri(self._folder / path)

    def name_of(self, path: str) -> str:
        return str(self._folder / path)

    def path_of(self, uri: str) -> str | None:
        found = Path(f"/{uri.removeprefix(_FILE).lstrip('/')}")
        return found.relative_to(self._folder).as_posix() if found.is_relative_to(self._folder) else None

    def flink_settings(self) -> dict[str, object]:
        return {}

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(f"{self._folder}: {error}")
