"""Parsing and formatting of event times; wall time."""

import time
from datetime import UTC, datetime

from features.errors import BadInput
from features.types import Millis


def wall_ms() -> Millis:
    """Wall time, ms since 1970."""
    return time.time_ns() // 1_000_000


MS_DIGITS = 12
"""Whole numbers with fewer digits are no ms since 1970 that anybody means: 11 digits end in March 1973, and seconds have 10."""


def parse_time(where: str, text: str) -> int:
    """Parse a date or date and time (UTC unless it has an offset), or milliseconds since 1970; returns ms. Raises BadInput."""
    digits = text.isascii() and text.isdigit()
    if digits and len(text) >= MS_DIGITS:
        return int(text)
    try:
        if digits and len(text) != len("19980301"):
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = (
            f"a date like 1998-03-01, a time like 1998-03-01T12:00, or ms since 1970 ({MS_DIGITS} digits or more)"
        )
        raise BadInput(where, expected, text) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def show_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
