"""API keys: the roles they have, what each operation of /v1 asks for, and the digests by which they are stored and compared.

A role may do all that the one before it may: `read`, `write`, `admin`.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Generic, Literal, TypeVar, get_args

from msgspec import Meta

from online.support.api_paths import API

ADMIN_PATHS: Final = f"{API}admin/"
API_KEY, ADMIN_KEY = "x-api-key", "x-admin-key"

Role = Literal["read", "write", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
READING: Final = ("GET", "HEAD", "OPTIONS")
READING_POSTS: Final = ("/v1/recommendations", "/v1/rank")
"""Operations that read although they are POSTs."""

HASHED: Final = "sha256:"
"""Begins a key that is stored by its digest."""
# `$(?!\n)` is the end alone: Python's `$` is also before a newline there.
Key = Annotated[
    str, Meta(min_length=16, max_length=256, pattern=r"^(sha256:[0-9a-f]{64}|(?!sha256:)[\x21-\x7e]+)$(?!\n)")
]
"""A key as it is stored: as it is sent, or HASHED and the SHA-256 of that in hexadecimal digits. A fast digest does for what is
drawn at random with more than 128 bits, as `./martlet keys` does: nobody guesses it, with however many tries."""


def role_of(method: str, path: str) -> Role:
    """The role that an operation of the API asks for. What is new and no GET asks for `write`.

    >>> role_of("GET", "/v1/items"), role_of("POST", "/v1/rank"), role_of("PUT", "/v1/items/7"), role_of("GET", "/v1/admin/x")
    ('read', 'read', 'write', 'admin')
    """
    if path.startswith(ADMIN_PATHS):
        return "admin"
    return "read" if method in READING or path in READING_POSTS else "write"


def allows(role: Role, needed: Role) -> bool:
    """Whether a role may do what asks for another."""
    return ROLES.index(role) >= ROLES.index(needed)


def hashed(key: str) -> str:
    """The stored form of a key, by its digest; a key that has it already is returned as it is."""
    return key if key.startswith(HASHED) else HASHED + hashlib.sha256(key.encode()).hexdigest()


Caller = TypeVar("Caller")


@dataclass(frozen=True)
class KeyRing(Generic[Caller]):
    """Callers by the stored forms of their keys."""

    entries: tuple[tuple[str, Caller], ...]

    @classmethod
    def of(cls, stored: Iterable[tuple[str, Caller]]) -> "KeyRing[Caller]":
        """stored: (a key as it is stored, whose it is)."""
        return cls(tuple((hashed(key), caller) for key, caller in stored))

    def find(self, key: str) -> Caller | None:
        """Whose a key is, or None. Compares digests, with all of them and in constant time whatever the key is."""
        given, found = HASHED + hashlib.sha256(key.encode()).hexdigest(), None
        for stored, caller in self.entries:
            if hmac.compare_digest(stored, given):
                found = caller
        return found
