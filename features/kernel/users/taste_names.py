"""Names of tastes as numbers: rows hold numbers, bytes hold names."""

import numpy as np

from features.arrays import AnyArray, IntArray
from features.kernel.users.row_types import Names

_FIRST_NAMES, _FIRST_BYTES = 256, 4096
_MAX_LISTS = 1 << 20
"""Numbers in the lists of tastes, of 8 bytes each."""


class TasteNames:
    """The names that came up, numbered from 0. `arrays` has them for the kernel; `longest` is the
    most bytes of one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: AnyArray = np.zeros(_FIRST_BYTES, np.uint8)
        self._starts: IntArray = np.zeros(_FIRST_NAMES, np.int64)
        self.arrays = Names(self._texts, self._starts)
        self.longest = 0
        self.lists: IntArray = np.zeros(_FIRST_NAMES, np.int64)
        """Numbers of the tastes of items, one list of tastes behind the other."""
        self._list_of: dict[tuple[str, ...], tuple[int, int]] = {}
        self._list_end = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def list_of(self, tastes: tuple[str, ...]) -> tuple[int, int]:
        """Where in `lists` the numbers of an item's tastes begin and end, until `shorten_lists`."""
        return self._list_of.get(tastes) or self._add_list(tastes)

    def shorten_lists(self, limit: int = _MAX_LISTS) -> None:
        """Begin the lists anew where they have more than `limit` numbers; to be called when no event refers to them."""
        if self._list_end > limit:
            self._list_of.clear()
            self._list_end = 0

    def number(self, name: str) -> int:
        """The number of a name, which it gets when it first comes up."""
        number = self._numbers.get(name)
        return self._add(name) if number is None else number

    def _add_list(self, tastes: tuple[str, ...]) -> tuple[int, int]:
        start, stop = self._list_end, self._list_end + len(tastes)
        if stop > len(self.lists):
            self.lists = np.concatenate((self.lists, np.zeros(max(stop, len(self.lists)), np.int64)))
        self.lists[start:stop] = [self.number(name) for name in tastes]
        self._list_end = stop
        self._list_of[tastes] = start, stop
        return start, stop

    def _add(self, name: str) -> int:
        number, text = len(self._numbers), name.encode()
        start = int(self._starts[number])
        stop = start + len(text)
        if stop > len(self._texts):
            self._texts = np.concatenate((self._texts, np.zeros(max(stop, len(self._texts)), np.uint8)))
        if number + 2 > len(self._starts):
            self._starts = np.concatenate((self._starts, np.zeros_like(self._starts)))
        self._texts[start:stop] = np.frombuffer(text, np.uint8)
        self._starts[number + 1] = stop
        self.arrays = Names(self._texts, self._starts)
        self.longest = max(self.longest, len(text))
        self._numbers[name] = number
        return number
