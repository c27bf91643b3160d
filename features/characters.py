"""Text from outside that is kept as it stands: which characters it may have."""

import unicodedata
from typing import Final

_REFUSED: Final = {
    "Cc": "a control character",
    "Cs": "half of a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Categories of characters that are refused. Unicode never moves a character into or out of them."""


def unprintable(text: str) -> str | None:
    """The first character that an id or a facet's value may not have, and where it is; None without one.

    >>> unprintable("Café 👩‍🍳"), unprintable("a\\n")
    (None, "a control character ('\\\\n') at 1")
    """
    for at, character in enumerate(text):
        fault = None if character.isalnum() else _REFUSED.get(unicodedata.category(character))
        if fault is not None:
            return f"{fault} ({character!a}) at {at}"
    return None
