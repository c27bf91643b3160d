"""The contract of the topic `shown`: a shown list with all that it was made of, for training and experiments.

One msgpack map a list, under the user's key in the user's partition: columns as raw little-endian arrays, each beside the name of
its type. It is written before the list's head (`features.contracts.served`), which says where it lies; the job never reads it.
`write_shown` writes it, `read_shown` gives the list that it holds; unknown fields are ignored.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from features.arrays import AnyArray, BoolArray, FloatArray, IntArray
from features.contracts.events import Id, Name, Whole
from features.contracts.served import (
    MAX_CANDIDATES,
    MAX_SLATE,
    SERVED_LIMIT,
    ContextValue,
    Served,
    ServedCandidates,
    ServedFeatures,
    ServedItem,
    check_served,
)
from features.errors import BadEvent, BadInput
from features.float32 import to_json_floats
from features.schema.declarations import MAX_CONTEXT

SHOWN_LIMIT: Final = SERVED_LIMIT
"""Bytes of one value."""
_FLOAT: Final = "<f4"
_WHOLE: Final = {kind: (int(np.iinfo(kind).min), int(np.iinfo(kind).max)) for kind in ("<u1", "<u2", "<i4", "<i8")}
"""Types of columns of whole numbers, with their smallest and largest one: the first that holds all values is taken."""


class Column(msgspec.Struct, array_like=True, frozen=True):
    """An array: the name of its type, as numpy writes it, and its values."""

    kind: str
    data: bytes


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shown list, in columns of its n candidates, in the order in which recall gave them, and of the k items shown, best
    first. See `features.contracts.served.Served` for what each field means.

    channels    names of the recall channels that ran
    candidates  (ids [n], what found each [n]: bit j for channels[j], score [n])
    slate       [k] indices into the candidates
    propensity  [k]; left out where all are 1
    team        [k] the model that picked the item, "" for none; left out where two were not interleaved
    layout      digest of what the columns below mean
    user        [U]
    items       [k · W] rows one after another, as `cross` and `signals`
    history     three columns
    """

    request_id: Name
    user_id: Id
    ts: Whole
    at: Whole
    channels: Annotated[tuple[Name, ...], Meta(max_length=62)]
    candidates: tuple[Column, Column, Column]
    slate: Column
    model: Name | None = None
    model_version: Whole | None = None
    propensity: Column | UnsetType = UNSET
    team: Annotated[tuple[str, ...], Meta(max_length=MAX_SLATE)] | UnsetType = UNSET
    degraded: tuple[str, ...] = ()
    arms: Annotated[dict[Name, Name], Meta(max_length=20)] | UnsetType = UNSET
    context: Annotated[dict[Name, ContextValue], Meta(max_length=MAX_CONTEXT)] | UnsetType = UNSET
    layout: Name | UnsetType = UNSET
    user: Column | UnsetType = UNSET
    items: Column | UnsetType = UNSET
    cross: Column | UnsetType = UNSET
    signals: Column | UnsetType = UNSET
    history: tuple[Column, Column, Column] | UnsetType = UNSET


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Shown)


def whole_column(values: IntArray | BoolArray | Sequence[int]) -> Column:
    """A column of whole numbers.

    >>> whole_column([1, 255]), whole_column([-1])
    (Column(kind='<u1', data=b'\\x01\\xff'), Column(kind='<i4', data=b'\\xff\\xff\\xff\\xff'))
    """
    array = np.asarray(values, np.int64)
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    kind = next(each for each, (lower, upper) in _WHOLE.items() if lower <= low and high <= upper)
    return Column(kind, array.astype(kind).tobytes())


def float_column(values: FloatArray | Sequence[float]) -> Column:
    """A column of float32 values, of an array of any shape."""
    return Column(_FLOAT, np.ascontiguousarray(values, _FLOAT).tobytes())


def write_shown(shown: Shown) -> bytes:
    """The value of a list, as it goes into the log. Raises BadInput for more than SHOWN_LIMIT bytes."""
    value = _encoder.encode(shown)
    if len(value) > SHOWN_LIMIT:
        raise BadInput("shown", f"at most {SHOWN_LIMIT} bytes", f"{len(value)} bytes")
    return value


def read_shown(value: bytes) -> Served:
    """The list that a value of the topic `shown` holds. Raises BadEvent for anything that the contract does not allow."""
    if len(value) > SHOWN_LIMIT:
        raise BadEvent("shown", f"at most {SHOWN_LIMIT} bytes", f"{len(value)} bytes")
    try:
        shown = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent("shown", "a list in msgpack", str(error)) from error
    served = _list_of(shown)
    check_served(served)
    return served


def _list_of(shown: Shown) -> Served:
    ids, masks = (_whole(f"candidates[{at}]", shown.candidates[at]) for at in (0, 1))
    scores = to_json_floats(_floats("candidates[2]", shown.candidates[2]))
    slate = _whole("slate", shown.slate)
    if max(len(ids), len(masks), len(scores)) > MAX_CANDIDATES or len(slate) > MAX_SLATE:
        raise BadEvent(
            "shown", f"at most {MAX_CANDIDATES} candidates and {MAX_SLATE} items", f"{len(ids)}, {len(slate)}"
        )
    size = min(len(ids), len(masks), len(scores))
    if any(not 0 <= index < size for index in slate):
        raise BadEvent("slate", f"indices of {size} candidates", str(slate))
    propensity = [1.0] * len(slate) if shown.propensity is UNSET else _floats("propensity", shown.propensity).tolist()
    if not all(0 <= each <= 1 for each in propensity):
        raise BadEvent("propensity", "probabilities from 0 to 1", str(propensity)[:60])
    team = [""] * len(slate) if shown.team is UNSET else list(shown.team)
    for name, values in (("propensity", propensity), ("team", team)):
        if len(values) != len(slate):
            raise BadEvent(name, f"{len(slate)} values", str(len(values)))
    items = [
        ServedItem(
            ids[index],
            position,
            scores[index],
            tuple(name for bit, name in enumerate(shown.channels) if masks[index] >> bit & 1),
            propensity[position],
            team[position] or UNSET,
        )
        for position, index in enumerate(slate)
    ]
    return Served(
        request_id=shown.request_id,
        user_id=shown.user_id,
        ts=shown.ts,
        at=shown.at,
        model=shown.model,
        model_version=shown.model_version,
        items=tuple(items),
        candidates=ServedCandidates(shown.channels, ids, masks, scores),
        features=_features(shown, len(slate)),
        degraded=shown.degraded,
        arms=shown.arms,
        context=shown.context,
    )


def _features(shown: Shown, size: int) -> ServedFeatures | None:
    if shown.layout is UNSET or shown.user is UNSET or shown.items is UNSET:
        return None
    history = None
    if shown.history is not UNSET:
        first, second, third = (_whole(f"history[{at}]", column) for at, column in enumerate(shown.history))
        history = (first, second, third)
    return ServedFeatures(
        shown.layout,
        _floats("user", shown.user).tolist(),
        _rows("items", shown.items, size),
        None if shown.cross is UNSET else _rows("cross", shown.cross, size),
        history,
        None if shown.signals is UNSET else _rows("signals", shown.signals, size),
    )


def _rows(where: str, column: Column, size: int) -> list[list[float]]:
    values = _floats(where, column)
    if not size:
        return []
    if len(values) % size:
        raise BadEvent(where, f"{size} rows of one width", f"{len(values)} values")
    rows: list[list[float]] = values.reshape(size, -1).tolist()
    return rows


def _whole(where: str, column: Column) -> list[int]:
    values: list[int] = _array(where, column, tuple(_WHOLE)).tolist()
    return values


def _floats(where: str, column: Column) -> FloatArray:
    values = _array(where, column, (_FLOAT,))
    if not np.isfinite(values).all():
        raise BadEvent(where, "finite numbers", "others among them")
    return values


def _array(where: str, column: Column, kinds: Sequence[str]) -> AnyArray:
    if column.kind not in kinds:
        raise BadEvent(where, f"an array of type {' or '.join(kinds)}", column.kind[:20])
    if len(column.data) % np.dtype(column.kind).itemsize:
        raise BadEvent(where, f"whole values of type {column.kind}", f"{len(column.data)} bytes")
    return np.frombuffer(column.data, column.kind)
