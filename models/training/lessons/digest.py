"""What training data holds in a few digits: lessons of equal digests teach the same."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any

import numpy as np


def digest_of(lessons: Any) -> str:
    """16 hex digits of all that a dataclass holds: its arrays, whatever is nested in it, and the text of anything else. A
    gigabyte takes a second or two."""
    whole = blake2b(digest_size=8)
    _add(lessons, whole)
    return whole.hexdigest()


def _add(value: Any, whole: Any) -> None:
    match value:
        case np.ndarray():
            whole.update(f"{value.dtype}{value.shape}".encode())
            whole.update(np.ascontiguousarray(value).data if value.size else b"")
        case Mapping():
            for name in sorted(value):
                whole.update(name.encode())
                _add(value[name], whole)
        case _ if is_dataclass(value):
            for field in fields(value):
                whole.update(field.name.encode())
                _add(getattr(value, field.name), whole)
        case _:
            whole.update(repr(value).encode())
