"""Names of data sets: each is a folder below a home's `data`, beside what the home itself keeps there."""

import re
from typing import Final

from features.errors import BadInput

LEARNED: Final = "log-"
"""Beginning of the name of a data set that is the log; the base's number follows."""
SAMPLES: Final = "samples-"
LISTS: Final = "asks-"
"""Beginnings of folders of training data; the base's number follows."""
SHOWN: Final = "shown"
"""Training data of the lists that were shown."""
TAKEN: Final = "taken.json"
"""File in a data set's folder that says what it was taken from."""
NONE: Final = "none"
"""No data set: a home that begins with nothing."""
_NAME: Final = re.compile(r"(?!\.)[\w.-]{1,64}")
_RESERVED: Final = re.compile(rf"({LEARNED}|{SAMPLES}|{LISTS})[0-9]+|{SHOWN}|{NONE}")


def check_name(name: str, where: str) -> str:
    """The name. Raises BadInput for one that is no name of a folder, or that a home gives to what it keeps itself."""
    if not _NAME.fullmatch(name):
        raise BadInput(where, "a name of at most 64 letters, digits, `.`, `_` and `-`, no `.` first", repr(name))
    if _RESERVED.fullmatch(name):
        expected = f"another name than {NONE}, {SHOWN}, {LEARNED}N, {SAMPLES}N and {LISTS}N, which a home gives itself"
        raise BadInput(where, expected, repr(name))
    return name


def name_of_folder(folder: str) -> str:
    """A name for the data set in a folder, one that `check_name` takes.

    >>> name_of_folder("my shop (2024)"), name_of_folder(".."), name_of_folder("log-2024")
    ('my-shop-2024', 'own', 'own-log-2024')
    """
    name = re.sub(r"[^\w.-]+", "-", folder).strip(".-")[:64] or "own"
    return f"own-{name}"[:64] if _RESERVED.fullmatch(name) else name
