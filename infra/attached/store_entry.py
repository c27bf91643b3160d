"""Where the job's checkpoints lie by the settings: examined by `doctor` and `up` where those name a folder or a bucket."""

import secrets
from pathlib import Path
from typing import Final

from features.errors import BadInput, Unavailable
from infra.attached.findings import Finding, away, well
from infra.flink.checkpoint_store import (
    SCHEME,
    BucketStore,
    CheckpointStore,
    FolderStore,
    S3Access,
    own_store,
)
from infra.home.paths import Home
from infra.settings.table import Settings

_NO_HOME: Final = "martlet-no-home"
"""In place of the id of a home that is not made yet."""
_PROBE: Final = "martlet-probe-"
"""What the name of a folder begins with that is tried, and removed."""


def store_of(home: Home, settings: Settings, home_id: str) -> CheckpointStore:
    """Returns the store of a home's checkpoints. Homes that share a folder or a bucket have each one of their own in it. Raises
    BadInput for a folder that is not there."""
    named = settings.flink.checkpoints
    if named is None:
        return own_store(home)
    folder, s3 = f"{named.rstrip('/')}/{home_id or _NO_HOME}", settings.s3
    if not named.startswith(f"{SCHEME}://"):
        if not Path(named).is_dir():  # what is to be mounted there may not be
            raise BadInput("flink.checkpoints", "a folder that there is", named)
        return FolderStore(Path(folder))
    return BucketStore(folder, S3Access(s3.endpoint, s3.region, s3.access_key, s3.secret_key))


def examine_store(store: CheckpointStore) -> Finding:
    """Returns whether files can be written, found and deleted there."""
    folder = f"{_PROBE}{secrets.token_hex(4)}"
    try:
        store.write(f"{folder}/file", "written to see whether it can be\n")
        is_found = _holds(store, folder)
        store.delete(folder)
        is_left = _holds(store, folder)
    except Unavailable as error:
        return away(
            "checkpoints", str(error), "a folder or bucket to write to as flink.checkpoints, and s3.… for a bucket"
        )
    if not is_found:
        return away("checkpoints", f"what is written to {store.uri} is not found there", "another flink.checkpoints")
    if is_left:
        return away("checkpoints", f"what lies in {store.uri} can't be deleted", "the right to: s3:DeleteObject")
    return well("checkpoints", f"{store.uri} takes them")


def _holds(store: CheckpointStore, folder: str) -> bool:
    return any(each.path == f"{folder}/file" for each in store.entries())
