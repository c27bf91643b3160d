"""A replay that is wished for over HTTP. The API writes the wish into a file, the supervisor carries it out and writes what came
of it into another: the API starts no process, and no port takes orders."""

import contextlib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from features.durable import write_whole

REQUEST_FILE, STATE = "replay_wish.json", "replay_state.json"
"""In the folder that `ApiSettings.control` names."""


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """speed: event time against wall time, or "max"; None: no replay. id: tells two equal wishes apart."""

    speed: Annotated[float, Meta(gt=0, le=1e9)] | Annotated[str, Meta(pattern="^max$")] | None
    id: str = ""


class ReplayState(msgspec.Struct, frozen=True):
    """
    id          of the wish that this answers
    running     whether events are being sent
    speed       of the replay that runs, or ran last
    row         rows from `first` up to this one are in the log; `last` is where it ends
    error       why it ended before its end, for people
    """

    id: str = ""
    running: bool = False
    speed: float | str | None = None
    first: int = 0
    row: int = 0
    last: int = 0
    error: str | None = None


def write_file(path: Path, value: msgspec.Struct) -> None:
    """Replace a file in one step. What is wished for and told here means nothing after a restart of the machine."""
    write_whole(path, msgspec.json.encode(value), sync=False)


def read_request(folder: Path) -> ReplayRequest | None:
    """The newest wish; None where there is none that can be read."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / REQUEST_FILE).read_bytes(), type=ReplayRequest)
    return None


def read_state(folder: Path) -> ReplayState | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / STATE).read_bytes(), type=ReplayState)
    return None
