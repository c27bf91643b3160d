"""The mirror of a home's models: a service beside those that serve, and a single sync for commands that publish."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from features.durable import write_secret
from features.errors import Broken, Unavailable
from infra.home.paths import Home
from infra.services.environment import python_env
from infra.services.service import Service
from infra.storage.bucket_store import S3Access, store_at
from infra.storage.file_store import FileStore
from infra.storage.model_mirror import ModelMirror
from infra.system.processes import wait_until

NAME: Final = "model-mirror"
NICE: Final = 10
EVERY: Final = 10.0
"""Seconds from one sync to the next."""
WAIT: Final = 120.0
PATIENCE: Final = 60
"""Syncs in a row that fail until the process ends: `status` shows that it was started anew."""


class MirroredTo(msgspec.Struct, frozen=True):
    """Where one home's models are mirrored: a folder by its absolute path, or s3://BUCKET/FOLDER with the access to it."""

    named: str
    access: S3Access

    def opened(self) -> FileStore:
        """Returns the store."""
        return store_at(self.named, self.access)


def file_of(home: Home) -> Path:
    """Returns the file that says where a running home's models are mirrored; its owner alone may read it."""
    return home.run / "model-mirror.json"


def mirror_service(home: Home, mirrored: MirroredTo) -> Service:
    """Returns the service, whose settings are written."""
    write_secret(file_of(home), msgspec.json.format(msgspec.json.encode(mirrored)) + b"\n")
    argv = (sys.executable, "-m", "infra.storage", "--home", home.path)
    return Service(NAME, argv, lambda: None, env=python_env(), cwd=home.path, grace=5.0, address=mirrored.named)


def read_mirrored(home: Home) -> MirroredTo:
    """Returns where a home's models are mirrored. Raises Broken where the file can't be read."""
    path = file_of(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=MirroredTo)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{path}: expected where models are mirrored, got {error}") from error


def mirror_always(home: Home, print_line: Callable[[str], None], every: float = EVERY) -> None:
    """Sync again and again, `every` so many seconds; what could not be done is told once, until it changes. Raises Unavailable
    after PATIENCE failures."""
    lines: list[str] = []
    mirror = ModelMirror(home.models, read_mirrored(home).opened(), lines.append)
    last: list[str] = []
    failures = 0
    while True:
        lines.clear()
        try:
            mirror.sync()
            failures = 0
        except (Unavailable, OSError) as error:
            lines.append(str(error))
            failures += 1
            if failures == PATIENCE:
                raise Unavailable(f"{PATIENCE} syncs in a row failed: {error}") from error
        for line in lines:
            if line not in last:
                print_line(line)
        last = list(lines)
        time.sleep(every)


def mirror_once(home: Home, store: FileStore, print_line: Callable[[str], None], timeout: float = WAIT) -> None:
    """Sync once, after another process that is at it. Raises Unavailable where the store does not answer, or that one takes
    longer than `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not ModelMirror(home.models, store, print_line).sync():
        if not wait_until(deadline, 0.5):
            raise Unavailable(f"waited {timeout:.0f} s for another process that mirrors the models of {home.path}")
