"""Files of a home in a bucket of S3."""

from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from features.errors import Unavailable
from infra.storage.file_store import FileStore, FolderStore, Stored

SCHEME: Final = "s3"
CONNECT_TIMEOUT, TIMEOUT, TRIES_TIMEOUT = "3s", "10s", timedelta(seconds=10)
"""For a connection to a bucket, for a request, and for its repetitions together, of which there are …"""
REPETITIONS: Final = 2
PART: Final = 5 << 20
"""Bytes of a file that a request brings there, at most: S3's smallest part."""
FILE_TIMEOUT: Final = "300s"
"""For a request that brings a file here, or a part of one there."""
_SOMEWHERE: Final = "us-east-1"
"""The region of a server that knows none."""


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
        return self._client_with(TIMEOUT)

    @cached_property
    def _file_client(self) -> Any:
        return self._client_with(FILE_TIMEOUT)

    def _client_with(self, timeout: str) -> Any:
        from obstore.store import S3Store  # only who names a bucket needs it

        bucket, _, folder = self.uri.removeprefix(f"{SCHEME}://").partition("/")
        return S3Store(
            bucket,
            prefix=folder,
            client_options={"connect_timeout": CONNECT_TIMEOUT, "timeout": timeout, "allow_http": True},
            retry_config={"max_retries": REPETITIONS, "retry_timeout": TRIES_TIMEOUT},
            **self._access.client_options(),
        )

    def entries(self) -> list[Stored]:
        try:
            return [
                Stored(each["path"], end_of_second(each["last_modified"].timestamp()))
                for part in self._client.list()
                for each in part
            ]
        except Exception as error:  # the library's errors have no parent of their own
            raise self._unavailable(error) from error

    def read(self, path: str) -> bytes | None:
        try:
            return bytes(self._client.get(path).bytes())
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._unavailable(error) from error

    def write(self, path: str, content: bytes) -> None:
        try:
            self._client.put(path, content)
        except Exception as error:
            raise self._unavailable(error) from error

    def create(self, path: str, content: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError

        if self.read(path) is not None:  # some servers ignore the condition below
            return False
        try:
            self._client.put(path, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except Exception as error:
            raise self._unavailable(error) from error
        return True

    def upload(self, source: Path, path: str) -> None:
        with source.open("rb") as file:
            try:
                self._file_client.put(path, file, chunk_size=PART, max_concurrency=2)
            except Exception as error:
                raise self._unavailable(error) from error

    def download(self, path: str, target: Path) -> bool:
        try:
            content = self._file_client.get(path).stream(min_chunk_size=PART)
        except FileNotFoundError:
            return False
        except Exception as error:
            raise self._unavailable(error) from error
        with target.open("wb") as copy:
            while (part := self._next_part(content)) is not None:
                copy.write(part)
        return True

    def _next_part(self, content: Any) -> bytes | None:
        try:
            return bytes(next(content))
        except StopIteration:
            return None
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
        return Unavailable(f"{self.uri}: {' '.join(str(error).split())[:300]}")


def end_of_second(second: float) -> float:
    return second if second % 1 else second + 1 - 1e-6


def store_at(named: str, access: S3Access) -> FileStore:
    """Returns the store in a folder by its absolute path, or in a bucket: s3://BUCKET/FOLDER."""
    return BucketStore(named, access) if is_bucket(named) else FolderStore(Path(named))


def is_bucket(named: str) -> bool:
    """Returns whether a bucket is named, and no folder."""
    return named.startswith(f"{SCHEME}://")
