"""How the keeper of the job has its writers write again what Redis may have lost: a request in a hash of Redis, which every
writer looks at once a second, and the replies of the writers beside it.
"""

from typing import Any, Final, NamedTuple

import msgspec

from features.types import Millis

REPEAT_KEY: Final = "job:repeat"
"""The hash: the newest request, and the newest reply of each writer by its name."""
REQUEST_FIELD: Final = "request"
TTL_S: Final = 600
"""Seconds after which a request goes."""
_SEPARATOR: Final = ":"


class RepeatRequest(msgspec.Struct, frozen=True):
    """id: of the request; since_ms: wall time from which on acknowledged writes may be lost."""

    id: str
    since_ms: Millis


def writer_name(operator: str, subtask: int) -> str:
    """The field of a writer's reply."""
    return f"{operator}{_SEPARATOR}{subtask}"


class Reply(NamedTuple):
    """What a writer says of a request: whether it has written again all that it wrote since then, or can't."""

    request: str
    is_done: bool

    def encode(self) -> str:
        return f"{self.request}{_SEPARATOR}{int(self.is_done)}"


def decode_replies(found: dict[bytes, bytes]) -> dict[str, Reply]:
    """Returns the replies in the hash, by the writers' names.

    >>> decode_replies({b"users:1": Reply("a7", True).encode().encode(), b"request": b"{}"})
    {'users:1': Reply(request='a7', is_done=True)}
    """
    return {
        field.decode(): _decoded(value.decode()) for field, value in found.items() if field.decode() != REQUEST_FIELD
    }


def decode_request(value: Any) -> RepeatRequest | None:
    """Returns the request in its field; None of none, or of one that can't be read."""
    try:
        return None if value is None else msgspec.json.decode(value, type=RepeatRequest)
    except msgspec.MsgspecError:
        return None


def _decoded(value: str) -> Reply:
    request, _, is_done = value.partition(_SEPARATOR)
    return Reply(request, is_done == "1")
