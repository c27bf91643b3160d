"""Where the checkpoints and savepoints of a home's job lie: the home's own folder, another one, or a bucket of S3. Flink writes
them; here they are listed, marked and deleted.
"""

import os
import shutil
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from features.errors import Unavailable
from infra.home.paths import Home

SCHEME: Final = "s3"
CONNECT_TIMEOUT, TIMEOUT, TRIES_TIMEOUT = "3s", "10s", timedelta(seconds=10)
"""For a connection to a bucket, for a request, and for its repetitions together, of which there are …"""
REPETITIONS: Final = 2
_SOMEWHERE: Final = "us-east-1"
"""The region of a server that knows none."""


class Stored(NamedTuple):
    """A file, or a folder where there are some in themselves: its path below the store, and when it was written (s; where whole
    seconds are told, the end of that second)."""

    path: str
    written_at: float


class CheckpointStore(Protocol):
    """uri: by which Flink is told of it."""

    uri: str

    def entries(self) -> list[Stored]:
        """Returns what there is. Raises Unavailable."""
        ...

    def write(self, path: str, text: str) -> None:
        """Write a file. Raises Unavailable."""
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
        self.uri = folder.as_uri()

    def entries(self) -> list[Stored]:
        found = []
        for parent, folders, files in os.walk(self._folder, onerror=self._refuse):
            for name in (*folders, *files):
                path = Path(parent) / name
                with suppress(FileNotFoundError):  # Flink has deleted it meanwhile
                    found.append(Stored(path.relative_to(self._folder).as_posix(), path.stat().st_mtime))
        return found

    def _refuse(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise Unavailable(f"checkpoints in {self._folder}: {error}") from error

    def write(self, path: str, text: str) -> None:
        try:
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_text(text)
        except OSError as error:
            raise Unavailable(f"checkpoints in {self._folder}: {error}") from error

    def delete(self, folder: str) -> None:
        shutil.rmtree(self._folder / folder, ignore_errors=True)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)

    def uri_of(self, path: str) -> str:
        return (self._folder / path).as_uri()

    def name_of(self, path: str) -> str:
        return str(self._folder / path)

    def path_of(self, uri: str) -> str | None:
        found = Path(unquote(urlsplit(uri).path))
        return found.relative_to(self._folder).as_posix() if found.is_relative_to(self._folder) else None

    def flink_settings(self) -> dict[str, object]:
        return {}


class S3Access(msgspec.Struct, frozen=True):
    """How buckets are reached: endpoint: URL of a server other than Amazon's; region, access_key, secret_key: None: as
    AWS_… variables or the machine's role say."""

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None

    def __repr__(self) -> str:
        return f"S3Access({self.endpoint})"

    def flink_settings(self) -> dict[str, object]:
        """Returns the settings of Flink's plugin."""
        settings = {
            "s3.endpoint": self.endpoint,
            "s3.region": self._region,
            "s3.access-key": self.access_key,
            "s3.secret-key": self.secret_key,
        }
        if self.endpoint:  # servers other than Amazon's store the frames of its chunks, too
            settings |= {"s3.path-style-access": "true", "s3.chunked-encoding.enabled": "false"}
        return {key: value for key, value in settings.items() if value is not None}

    def client_options(self) -> dict[str, Any]:
        """Returns the options of our own client."""
        options = {
            "endpoint": self.endpoint,
            "region": self._region,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "virtual_hosted_style_request": not self.endpoint,
        }
        return {key: value for key, value in options.items() if value is not None}

    @property
    def _region(self) -> str | None:
        return self.region or (_SOMEWHERE if self.endpoint else None)


class BucketStore:
    """A folder of a bucket: s3://BUCKET/FOLDER."""

    def __init__(self, uri: str, access: S3Access) -> None:
        self.uri = uri.rstrip("/")
        self._access = access

    @cached_property
    def _client(self) -> Any:
        from obstore.store import S3Store  # only who keeps a job needs it

        bucket, _, folder = self.uri.removeprefix(f"{SCHEME}://").partition("/")
        return S3Store(
            bucket,
            prefix=folder,
            client_options={"connect_timeout": CONNECT_TIMEOUT, "timeout": TIMEOUT, "allow_http": True},
            retry_config={"max_retries": REPETITIONS, "retry_timeout": TRIES_TIMEOUT},
            **self._access.client_options(),
        )

    def entries(self) -> list[Stored]:
        try:
            return [
                Stored(each["path"], _end_of(each["last_modified"].timestamp()))
                for part in self._client.list()
                for each in part
            ]
        except Exception as error:  # the library's errors have no parent of their own
            raise self._unavailable(error) from error

    def write(self, path: str, text: str) -> None:
        try:
            self._client.put(path, text.encode())
        except Exception as error:
            raise self._unavailable(error) from error

    def delete(self, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        with suppress(Exception):
            self._client.delete([each.path for each in self.entries() if each.path.startswith(prefix)])

    def uri_of(self, path: str) -> str:
        return f"{self.uri}/{path}"

    def name_of(self, path: str) -> str:
        return self.uri_of(path)

    def path_of(self, uri: str) -> str | None:
        return uri.removeprefix(f"{self.uri}/") if uri.startswith(f"{self.uri}/") else None

    def flink_settings(self) -> dict[str, object]:
        return self._access.flink_settings()

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(f"checkpoints in {self.uri}: {' '.join(str(error).split())[:300]}")


def _end_of(second: float) -> float:
    return second if second % 1 else second + 1 - 1e-6


def own_store(home: Home) -> CheckpointStore:
    """Returns the store in a home's own folder."""
    return FolderStore(home.checkpoints)
