"""Where the job's checkpoints and the models' versions lie by the settings: examined by `doctor` and `up` where those name a
folder or a bucket."""

import secrets
from pathlib import Path
from typing import Final

from features.errors import BadInput, Unavailable
from infra.attached.findings import Finding, away, well
from infra.flink.checkpoints import own_store
from infra.home.paths import Home
from infra.settings.table import S3, Settings
from infra.storage.bucket_store import S3Access, is_bucket, store_at
from infra.storage.file_store import FileStore
from infra.storage.mirror_service import MirroredTo

CHECKPOINTS: Final = "flink.checkpoints"
MODELS: Final = "models.store"
_KINDS: Final = {CHECKPOINTS: "checkpoints", MODELS: "models"}
_NO_HOME: Final = "martlet-no-home"
"""In place of the id of a home that is not made yet."""
_PROBE: Final = "martlet-probe-"
"""What the name of a folder begins with that is tried, and removed."""


def checkpoints_store(home: Home, settings: Settings, home_id: str) -> FileStore:
    """Returns the store of a home's checkpoints. Raises BadInput for a folder that is not there."""
    named = settings.flink.checkpoints
    return own_store(home) if named is None else store_at(*_of_home(CHECKPOINTS, named, settings.s3, home_id))


def mirrored_to(settings: Settings, home_id: str) -> MirroredTo | None:
    """Returns where a home's models are mirrored, None where the settings don't say. Raises BadInput for a folder that is not
    there."""
    named = settings.models.store
    return None if named is None else MirroredTo(*_of_home(MODELS, named, settings.s3, home_id))


def _of_home(setting: str, named: str, s3: S3, home_id: str) -> tuple[str, S3Access]:
    """Returns the folder of one home, and the access to it: homes share what a setting names. Raises BadInput."""
    if not is_bucket(named) and not Path(named).is_dir():  # what is to be mounted there may not be
        raise BadInput(setting, "a folder that there is", named)
    return f"{named.rstrip('/')}/{home_id or _NO_HOME}", S3Access(s3.endpoint, s3.region, s3.access_key, s3.secret_key)


def examine_store(setting: str, store: FileStore) -> Finding:
    """Returns whether files can be written, found and deleted in the store that a setting names."""
    name = _KINDS[setting]
    folder = f"{_PROBE}{secrets.token_hex(4)}"
    try:
        store.write(f"{folder}/file", b"written to see whether it can be\n")
        is_found = _holds(store, folder)
        store.delete(folder)
        is_left = _holds(store, folder)
    except Unavailable as error:
        return away(name, str(error), f"a folder or bucket to write to as {setting}, and s3.… for a bucket")
    if not is_found:
        return away(name, f"what is written to {store.uri} is not found there", f"another {setting}")
    if is_left:
        return away(name, f"what lies in {store.uri} can't be deleted", "the right to: s3:DeleteObject")
    return well(name, f"{store.uri} takes them")


def _holds(store: FileStore, folder: str) -> bool:
    return any(each.path == f"{folder}/file" for each in store.entries())
