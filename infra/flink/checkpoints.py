"""The checkpoints and savepoints that a home keeps: which to start from, and which could not be read."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from infra.home.paths import Home

_REFUSED = "REFUSED"
RETAINED = 6
"""Checkpoints that Flink keeps: with one each 10 s, a minute to go back to."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete one. `completed_at` is wall time, s."""

    folder: Path
    completed_at: float


def kept(home: Home) -> list[Checkpoint]:
    """The complete ones that were not refused, newest first."""
    found = [
        Checkpoint(metadata.parent, metadata.stat().st_mtime)
        for pattern in ("*/chk-*/_metadata", "savepoint-*/_metadata")
        for metadata in home.checkpoints.glob(pattern)
        if not (metadata.parent / _REFUSED).exists()
    ]
    return sorted(found, key=lambda each: each.completed_at, reverse=True)


def refuse(checkpoint: Checkpoint, reason: str) -> None:
    """Never start from this one again; it stays for whoever looks into it."""
    (checkpoint.folder / _REFUSED).write_text(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {reason}\n")


def forget(home: Home) -> None:
    """When the generation rises, states start from the base: older checkpoints are of no use and in the way."""
    shutil.rmtree(home.checkpoints, ignore_errors=True)
    home.checkpoints.mkdir(parents=True, exist_ok=True)


def drop_older_savepoints(home: Home, keep: int = 2) -> None:
    """Flink never deletes a savepoint; the newest are enough."""
    folders = sorted(home.checkpoints.glob("savepoint-*"), key=lambda each: each.stat().st_mtime, reverse=True)
    for folder in folders[keep:]:
        shutil.rmtree(folder, ignore_errors=True)
