"""Ids: what the outside calls a user or an item, and the integer that stands for it inside.

Outside (HTTP, Kafka's keys, exports, pages) an id is a whole number from 0 to 2^63 − 1, or a string of 1 to 128 characters. A
number's canonical decimal text is that number: "7" and 7 are one user. Any other string stands inside (Redis keys, states,
columns, tensors) for a number below −1, made of its BLAKE2b hash, keyed with the home's salt.
"""

import unicodedata
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from features.characters import unprintable
from features.errors import BadInput
from features.types import MAX_ID, NO_ID

OuterId = int | str

MAX_LENGTH: Final = 128
"""Characters of an id that is a string."""
SALT_BYTES: Final = 16
EXPECTED: Final = f"a whole number from 0 to {MAX_ID}, or a string of 1 to {MAX_LENGTH} printable characters"
_CACHED: Final = 1 << 16


def canonical(outer: OuterId) -> OuterId:
    """The one form of an id: the number where it is one, else the string. Raises BadInput for what is no id."""
    if isinstance(outer, int):
        if not 0 <= outer <= MAX_ID:
            raise BadInput("id", EXPECTED, str(outer))
        return outer
    number = _number(outer)
    if number is not None:
        return number
    if not 1 <= len(outer) <= MAX_LENGTH:
        raise BadInput("id", EXPECTED, f"{len(outer)} characters")
    if (fault := unprintable(outer)) is not None:
        raise BadInput("id", EXPECTED, fault)
    if not unicodedata.is_normalized("NFC", outer):
        raise BadInput("id", f"{EXPECTED}, in Unicode's form NFC", f"{outer!r}, which is not in that form")
    return outer


def _number(text: str) -> int | None:
    """The number that a canonical decimal is; None for any other text.

    >>> _number("17"), _number("017"), _number("-1"), _number("9223372036854775808")
    (17, None, None, None)
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or (text[0] == "0" and text != "0"):
        return None
    number = int(text)
    return number if number <= MAX_ID else None


def number_of_hash(digest: bytes) -> int:
    """The number below −1 that stands for a string with this hash (8 bytes).

    >>> number_of_hash(bytes(8)), number_of_hash(bytes([255] * 8)), number_of_hash(bytes([255] * 7 + [254]))
    (-9223372036854775808, -2, -2)
    """
    number = (int.from_bytes(digest, "big") & MAX_ID) - (MAX_ID + 1)
    return number if number != NO_ID else number - 1


class Ids:
    """The ids of a home.

    salt     keys the hash, so that nobody can make two strings of one home meet
    strings  whether answers give every id as a string; else numbers are numbers
    """

    def __init__(self, salt: bytes = b"", strings: bool = False) -> None:
        self.salt = salt
        self.strings = strings
        self._inside = lru_cache(_CACHED)(self._hashed)

    def inside(self, outer: OuterId) -> int:
        """The number inside. Raises BadInput for what is no id."""
        if isinstance(outer, int) and 0 <= outer <= MAX_ID:
            return outer
        return self._inside(outer)

    def _hashed(self, outer: OuterId) -> int:
        found = canonical(outer)
        if isinstance(found, int):
            return found
        return number_of_hash(blake2b(found.encode(), digest_size=8, key=self.salt).digest())

    def shown(self, outer: OuterId) -> OuterId:
        """The id as answers give it.

        >>> Ids(strings=True).shown(7), Ids().shown(7), Ids().shown("SKU-1")
        ('7', 7, 'SKU-1')
        """
        return str(outer) if self.strings else outer
