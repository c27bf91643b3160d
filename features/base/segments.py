"""What a segment likes more than all do (M. Pazzani, A Framework for Collaborative, Content-Based and Demographic Filtering,
Artificial Intelligence Review 1999). A segment is the users who have one value of an attribute, or whoever acts under one value
of the context: of a facet or a flag, or in one band of a number.

Who has done nothing yet, but has attributes, is known by it; so are those who did little. What is liked on a phone, or in the
morning, is known of everybody.

As arrays, which `features.base.reader` reads and `offline.item_weights.segment_shares` writes:

names    uint8 [b]: the segments' names, a JSON array of text; n of them
starts   int64 [n + 1]: the items of the k-th are starts[k] … starts[k + 1] − 1
others   int64 [m]: ids of items, best first
weights  float32 [m], above 0: how much larger the item's share is of what the segment likes than of what all like
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.item_weights import rows_of
from features.errors import Broken
from features.recall.compiled import NumberArray, scratch
from features.recall.sparse import run_sums
from features.schema.checked_fields import Fields
from features.schema.declarations import band_of

SEGMENT_ARRAYS: Final = {"names": np.uint8, "starts": np.int64, "others": np.int64, "weights": np.float32}
"""By name and type, in this order."""
_TYPES: Final = ("facet", "flag")
_CONTEXT: Final = "context."
"""Begins the names of segments of a context, as it does those of parameters: users may have an attribute of the same name."""
_decoder: Final = msgspec.json.Decoder(list[str])


def segments_of(attributes: str, users: Fields) -> list[str]:
    """The segments of a user, by what their attributes say as canonical JSON, in the schema's order.

    >>> from features.schema.tables import read_schema
    >>> text = '[events.buy]\\nweight = 1\\n[users.plan]\\ntype = "facet"\\n[users.age]\\ntype = "number"\\nbands = [18, 50]\\n'
    >>> segments_of('{"plan":"gold","age":40}', read_schema(text, "schema.toml").users)
    ['plan:gold', 'age:18-50']
    """
    return list(_named(users.read(attributes), users)) if attributes else []


def segments_of_context(has: Mapping[str, Any], context: Fields) -> list[str]:
    """The segments of what is done under a context, in the schema's order.

    >>> from features.schema.tables import read_schema
    >>> text = '[events.buy]\\nweight = 1\\n[context.device]\\ntype = "facet"\\n[context.hour]\\ntype = "number"\\n'
    >>> segments_of_context({"device": "phone", "hour": 9}, read_schema(text, "schema.toml").context)
    ['context.device:phone']
    """
    return [_CONTEXT + name for name in _named(has, context)] if has else []


def _named(has: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    for name, declared in fields.declared.items():
        value = has.get(name)
        if declared.type == "number" and value is not None and (band := band_of(name, declared.bands, value)):
            yield band
        if value is None or declared.type not in _TYPES:
            continue
        values = value if isinstance(value, list) else [str(value).lower() if declared.type == "flag" else value]
        yield from (f"{name}:{each}" for each in values)


class Segments:
    """The segments of a base, for a catalogue whose items stand in rows; what names an item that has no row is left out. 8 bytes
    for each item of each segment, and 16 for each row.

    `rows` are the ids of the rows, in the order of rows. Raises Broken where the arrays don't fit together.
    """

    def __init__(
        self, rows: IntArray, names: NumberArray, starts: IntArray, others: IntArray, weights: FloatArray
    ) -> None:
        try:
            known = _decoder.decode(np.asarray(names).tobytes())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Broken(f"segments: expected names as a JSON array of text, got {error}") from error
        if len(starts) != len(known) + 1 or starts[-1] != len(others) or len(others) != len(weights):
            raise Broken(
                f"segments: {len(known)} names, {len(starts)} starts, {len(others)} items, {len(weights)} weights"
            )
        self._number = {name: number for number, name in enumerate(known)}
        columns, present = rows_of(others, rows, np.argsort(rows, kind="stable"))
        self._others = columns[present].astype(np.int32)
        self._weights = np.array(weights[present], np.float32)
        ends = np.r_[0, np.cumsum(present)][starts]
        size = max(len(rows), len(known))  # by which `run_sums` knows how many rows there are
        self._at, self._count = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._at[: len(known)], self._count[: len(known)] = ends[:-1], np.diff(ends)

    @classmethod
    def none(cls) -> "Segments":
        """Nothing is known of any segment."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, np.frombuffer(b"[]", np.uint8), np.zeros(1, np.int64), nothing, np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self._number)

    def spread(self, names: Sequence[str], allowed: BoolArray) -> IntArray:
        """For each allowed row the sum of its weights in the segments of these names: the keys (`features.recall.sparse`) of
        those above 0."""
        numbers = np.array([self._number[name] for name in names if name in self._number], np.int64)
        room, shares = scratch(len(self._at)), np.ones(len(numbers), np.float32)
        sums = self._at, self._count, self._others, self._weights, numbers, shares, allowed
        return run_sums(*sums, room.sums, room.touched)
