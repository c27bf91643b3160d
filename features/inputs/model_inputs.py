"""The inputs that models take, by name, and how each is made of raw features: one definition for training and serving.

n rows, one a candidate; L = 20 events of history; U, I, G, C, S columns as in `features.inputs.columns` and
`features.inputs.signals`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import msgspec
import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, IntArray
from features.inputs.columns import CROSS_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, cross_matrix, normalise
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.history import LENGTH
from features.inputs.input_maps import HISTORY_INPUTS, ID_INPUTS, INPUT_NAMES, INPUTS_VERSION, InputMaps
from features.inputs.signals import FIRST_SIGNAL_COLUMNS, SIGNAL_COLUMNS


@lru_cache(maxsize=16)
def layout(vocabulary: Vocabulary, schema: str) -> str:
    """Digest (16 hex digits) of what each raw column means: rows kept under one digest have the same columns in the same
    order, with the same meaning, as rows made now under this vocabulary and a schema with this digest; rows of fewer signals
    lack the last ones."""
    columns = (USER_COLUMNS, ITEM_COLUMNS, CROSS_COLUMNS, LENGTH, FIRST_SIGNAL_COLUMNS)
    meaning = (INPUTS_VERSION, *columns, vocabulary, schema)
    return blake2b(msgspec.json.encode(meaning), digest_size=8).hexdigest()


def width_of(name: str, vocabulary: Vocabulary) -> int:
    """Columns of an input under a vocabulary, 0 for ids. Raises ValueError for a name that is none."""
    facets = len(vocabulary) + 1
    widths = {
        **dict.fromkeys(ID_INPUTS, 0),
        "user": len(USER_COLUMNS) + 3 * facets,
        "item": len(ITEM_COLUMNS) + facets,
        "cross": len(CROSS_COLUMNS),
        "history": LENGTH,
        "history_marks": LENGTH,
        "history_gaps": LENGTH + 1,
        "signals": len(SIGNAL_COLUMNS),
    }
    if name not in widths:
        raise ValueError(f"a model asks for the input {name!r}; known are {', '.join(INPUT_NAMES)}")
    return widths[name]


def is_integer(name: str) -> bool:
    """Whether an input is int64; the others are float32."""
    return name in ID_INPUTS or name in HISTORY_INPUTS


@dataclass(frozen=True)
class RawInputs:
    """The raw material of model inputs; `user_ids`, `users` and `history` have a row for each candidate, or one for all.

    user_ids [n or 1], users [n or 1, U + 3(G + 1)], item_ids [n], items [n, I + G + 1] as in `features.inputs.columns`; what
    none of the requested inputs need may be left out: cross [n, C] is computed where it is, history (items, marks, gaps)
    [n or 1, …] and signals [n, S] must be there.
    """

    user_ids: IntArray
    users: FloatArray
    item_ids: IntArray
    items: FloatArray
    cross: FloatArray | None = None
    history: tuple[IntArray, IntArray, IntArray] | None = None
    signals: FloatArray | None = None


def model_inputs(
    names: Sequence[str],
    maps: InputMaps,
    raw: RawInputs,
    shared: Collection[str] = (),
    signals: int = len(SIGNAL_COLUMNS),
) -> dict[str, npt.NDArray[np.generic]]:
    """The named inputs, one row a candidate; of those of OF_USER that are in `shared` one row for all, where `raw` has one.
    signals: how many columns of signals the version takes, fewer where it was trained before the last ones were appended.
    Raises ValueError for a name that is not of INPUT_NAMES, or columns that are not those of the maps."""
    return {name: np.ascontiguousarray(_made(name, maps, raw, name in shared, signals)) for name in names}


def _made(name: str, maps: InputMaps, raw: RawInputs, shared: bool, signals: int) -> npt.NDArray[np.generic]:
    n = 1 if shared and len(raw.users) == 1 else len(raw.item_ids)
    match name:
        case "userId":
            return np.broadcast_to(np.asarray(raw.user_ids, np.int64), (n,))
        case "movieId":
            return np.asarray(raw.item_ids, np.int64)
        case "user":
            rows = normalise(raw.users, maps.user_mean, maps.user_std)
            return np.broadcast_to(rows, (n, rows.shape[1]))
        case "item":
            return normalise(raw.items, maps.item_mean, maps.item_std)
        case "cross" if raw.cross is not None or (raw.users.shape[1] and raw.items.shape[1]):
            cross = cross_matrix(raw.users, raw.items) if raw.cross is None else raw.cross
            return normalise(cross, maps.cross_mean, maps.cross_std)
        case "history" | "history_marks" | "history_gaps" if raw.history is not None:
            part = raw.history[HISTORY_INPUTS.index(name)]
            return part[None] if n == 1 and part.ndim == 1 else np.broadcast_to(part, (n, part.shape[-1]))
        case "signals" if raw.signals is not None:
            return raw.signals[:, :signals]
    width_of(name, ())  # complains of a name that is none
    raise ValueError(f"the input {name!r} was not made ready")
