"""Checkpoints and savepoints of a home: listing, refusing unreadable ones, deleting old ones."""

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from infra.home.paths import Home

_REFUSED = "REFUSED"
_JOB = re.compile("[0-9a-f]{32}")
INTERVAL_S = 30
"""Seconds from the end of a checkpoint to the beginning of the next: so much of the log is read again after a crash, at most."""
RETAINED = 6
"""Number of checkpoints that Flink retains: some three minutes to go back to."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint or savepoint. `completed_at` is wall time, s."""

    folder: Path
    completed_at: float


def retained(home: Home) -> list[Checkpoint]:
    """Returns the complete checkpoints that were not refused, newest first."""
    found = [
        Checkpoint(metadata.parent, metadata.stat().st_mtime)
        for pattern in ("*/chk-*/_metadata", "savepoint-*/_metadata")
        for metadata in home.checkpoints.glob(pattern)
        if not (metadata.parent / _REFUSED).exists()
    ]
    return sorted(found, key=lambda each: each.completed_at, reverse=True)


def refuse(checkpoint: Checkpoint, reason: str) -> None:
    """Never start from this checkpoint again; its files stay for inspection."""
    (checkpoint.folder / _REFUSED).write_text(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {reason}\n")


def forget(home: Home) -> None:
    """Delete all checkpoints, as when the generation rises: states then start from the base."""
    shutil.rmtree(home.checkpoints, ignore_errors=True)
    home.checkpoints.mkdir(parents=True, exist_ok=True)


def drop_superseded(home: Home, job: str) -> None:
    """Delete the checkpoints of jobs before this one, refused ones too, once it has RETAINED newer ones of its own: Flink deletes
    those of the job that runs alone."""
    own = [each.completed_at for each in retained(home) if each.folder.parent.name == job]
    if len(own) < RETAINED:
        return
    for folder in home.checkpoints.iterdir():
        if folder.name == job or not _JOB.fullmatch(folder.name):
            continue
        found = [metadata.stat().st_mtime for metadata in folder.glob("chk-*/_metadata")]
        if max(found, default=folder.stat().st_mtime) < min(own):
            shutil.rmtree(folder, ignore_errors=True)


def drop_older_savepoints(home: Home, limit: int = 2) -> None:
    """Delete all savepoints but the newest `limit`; Flink itself deletes none."""
    folders = sorted(home.checkpoints.glob("savepoint-*"), key=lambda each: each.stat().st_mtime, reverse=True)
    for folder in folders[limit:]:
        shutil.rmtree(folder, ignore_errors=True)
