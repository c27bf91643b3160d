"""Where in rows a number stands, compiled: open addressing with linear probing (Knuth, volume 3, algorithm L).

An index is an int32 array whose size is a power of two, a third of it free at least: 0 is free, else a row's number plus one.
`numbers`, int64, is the column of the rows by which they are found.
"""

from typing import Final

from features.arrays import AnyArray
from features.recall.compiled import compiled

NOT_FOUND: Final = -1


@compiled
def start_of(number: int, size: int) -> int:
    """Where a search begins: spreads numbers that follow each other, or have a stride, with arithmetic that overflows nowhere."""
    folded = (number ^ (number >> 31)) & 0x7FFFFFFF
    return ((folded * 0x9E3779B1) >> 20) & (size - 1)


@compiled
def position_of(index: AnyArray, numbers: AnyArray, number: int) -> int:
    """The position in the index that holds a number's row, or the free one where it belongs."""
    at = start_of(number, len(index))
    while index[at] != 0 and numbers[index[at] - 1] != number:
        at = (at + 1) & (len(index) - 1)
    return at


@compiled
def row_of(index: AnyArray, numbers: AnyArray, number: int) -> int:
    """The row of a number, or NOT_FOUND."""
    return int(index[position_of(index, numbers, number)]) - 1


@compiled
def put_row(index: AnyArray, numbers: AnyArray, row: int) -> None:
    """Let the number of a row stand for that row alone."""
    index[position_of(index, numbers, numbers[row])] = row + 1


@compiled
def remove_row(index: AnyArray, numbers: AnyArray, row: int) -> None:
    """Free the position of a row that the index holds, and move up what was probed past it."""
    last = len(index) - 1
    hole = position_of(index, numbers, numbers[row])
    at = hole
    while True:
        at = (at + 1) & last
        if index[at] == 0:
            break
        distance = (at - start_of(numbers[index[at] - 1], len(index))) & last
        if distance >= (at - hole) & last:
            index[hole] = index[at]
            hole = at
    index[hole] = 0
