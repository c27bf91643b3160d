"""Replays requested over HTTP. The API writes the request to a file; the supervisor executes it and writes the state to
another: the API starts no process, and no port accepts commands."""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from features.durable import write_whole

REQUEST_FILE, STATE = "replay_wish.json", "replay_state.json"
"""File names in the folder `ApiSettings.control`."""


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A replay that is requested. speed: event time per wall time, or "max"; None: no replay. id: distinguishes two equal
    requests."""

    speed: Annotated[float, Meta(gt=0, le=1e9)] | Literal["max"] | None
    id: str = ""


class ReplayState(msgspec.Struct, frozen=True):
    """
    State of the newest replay.

    id          of the request that it belongs to
    running     whether events are being sent
    speed       of the replay that runs, or ran last
    row         rows from `first` up to this one are in the log; `last` is where it ends
    error       why it failed, for people
    """

    id: str = ""
    running: bool = False
    speed: float | str | None = None
    first: int = 0
    row: int = 0
    last: int = 0
    error: str | None = None


def write_file(path: Path, value: msgspec.Struct) -> None:
    """Replace a file atomically. Not fsynced: requests and states mean nothing after a restart of the machine."""
    write_whole(path, msgspec.json.encode(value), sync=False)


def read_request(folder: Path) -> ReplayRequest | None:
    """The newest request; None where there is no readable one."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / REQUEST_FILE).read_bytes(), type=ReplayRequest)
    return None


def read_state(folder: Path) -> ReplayState | None:
    """The newest state; None where there is no readable one."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / STATE).read_bytes(), type=ReplayState)
    return None
