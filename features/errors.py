"""Martlet's errors, and how to handle each.

MartletError
├── BadInput        what came is wrong and will be wrong again: refuse it, name the field, what was expected and what came
│   └── BadEvent    one event of the log or of a POST (to `events.rejected`, or a 422)
├── Unavailable     something remote did not answer in time: try again later, or take the next rung of the ladder
└── Broken          an invariant does not hold (corrupt file, wrong version): stop and tell the operator

An error of the system that somebody with rights or room can end has a line, too (`refusal_of`).
"""

import errno
from typing import Final

REFUSALS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG}
)
"""What a file system answers where a disk is full or read-only, rights are missing, or a path can't be one."""


class MartletError(Exception):
    """Root of the tree; the message is one line that an operator or caller can act on."""


class BadInput(MartletError):
    """Wrong input: `where` it stood, what was `expected`, what was `received`."""

    def __init__(self, where: str, expected: str, received: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {received}")
        self.where = where
        self.expected = expected
        self.received = received


class BadEvent(BadInput):
    """An event that the contract does not allow."""


class Unavailable(MartletError):
    """A dependency did not answer within its deadline."""


class Broken(MartletError):
    """A file, state or version that cannot be trusted."""


def refusal_of(error: OSError) -> str | None:
    """Returns the line that says what the file system refuses, and of which path; None where it is another error."""
    if error.errno not in REFUSALS:
        return None
    return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error.strerror)
