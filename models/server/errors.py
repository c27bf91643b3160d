"""The one error of this package, and how its codes travel: gRPC as they are, HTTP by the table below."""

from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """The canonical codes shared by absl, TensorFlow and gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_HTTP = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


def http_status(code: Code) -> int:
    """The HTTP status that stands for ``code``; what has none of its own is 500."""
    return _HTTP.get(code, 500)


class ServingError(Exception):
    """A request, a load or a configuration that failed, with the code and the text the caller is to see."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status_text(self) -> str:
        """Code and message in one line, as statuses are printed inside other messages."""
        return f"{self.code.name}: {self.message}"


def invalid(message: str) -> ServingError:
    """The commonest error: the caller's request does not fit."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def from_tensorflow(error: Any) -> ServingError:
    """A ``tf.errors.OpError`` with its own code and message kept."""
    return ServingError(Code(error.error_code), str(error.message))
