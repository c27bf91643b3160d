"""Units of time, and the spans that several parts must agree on: each is written here and nowhere else.

Plain integers, so that the fold can import this without NumPy.
"""

from typing import Final

from features.types import Millis

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
DAY_S: Final = DAY_MS // SECOND_MS

SESSION_GAP_MS: Final = 30 * MINUTE_MS
"""The longest silence within a session of a user; see `ends_session`."""
ATTRIBUTION_S: Final = 1_800
"""The time for which a shown list waits for actions on it, s, where a home does not set another."""


def ends_session(silence: Millis) -> bool:
    """Whether a silence, in ms, ends a session. One of exactly SESSION_GAP_MS does not.

    >>> ends_session(SESSION_GAP_MS), ends_session(SESSION_GAP_MS + 1)
    (False, True)
    """
    return silence > SESSION_GAP_MS
