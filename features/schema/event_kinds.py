"""The tables `[events.NAME]` of `schema.toml`: what one kind of event carries and what it weighs. `features.schema.document`
shows one."""

import math
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from features.schema.declarations import Refuse

ValueKind = Literal["stars", "money", "quantity", "seconds"]
MAX_VALUE: Final = {"stars": 5.0, "money": 1e9, "quantity": 1e6, "seconds": 1e7}
MIN_VALUE: Final = {"stars": 0.5, "money": 0.0, "quantity": 0.0, "seconds": 0.0}
SCALE: Final = 256
"""Weights are rounded to 1/256."""
MAX_STEPS: Final = 16
MAX_START: Final = max(MAX_VALUE.values())
"""No step of weights begins later: no value is greater."""


class EventKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of event."""

    weight: float = 0.0
    value: ValueKind | None = None
    weights: tuple[tuple[float, float], ...] = ()
    hide: str = ""
    click: bool = False
    repeats: bool = True


def scaled(kind: EventKind) -> tuple[tuple[int, int], ...]:
    """(value in hundredths, weight in 1/SCALE), from value 0 on."""
    steps = [(math.floor(start * 100 + 0.5), math.floor(weight * SCALE + 0.5)) for start, weight in kind.weights]
    if not steps:
        return ((0, math.floor(kind.weight * SCALE + 0.5)),)
    return tuple(steps) if steps[0][0] == 0 else ((0, 0), *steps)


def check_weights(kind: EventKind, path: tuple[str, ...], refuse: Refuse) -> None:
    """Raises BadInput for weights that types alone can't refuse."""
    for weight in [weight for _, weight in kind.weights] or [kind.weight]:
        if not -1 <= weight <= 1:
            raise refuse((*path, "weights" if kind.weights else "weight"), "a number from -1 to 1", str(weight))
    if not kind.weights:
        return
    if kind.value is None:
        raise refuse((*path, "weights"), "a `value` that they go by", "no value")
    if kind.weight:
        raise refuse((*path, "weight"), "either `weight` or `weights`", "both")
    starts = [start for start, _ in kind.weights]
    if starts != sorted(set(starts)) or not all(0 <= start <= MAX_START for start in starts) or len(starts) > MAX_STEPS:
        expected = f"at most {MAX_STEPS} pairs [value, weight], ascending by value from 0 to {MAX_START:g}"
        raise refuse((*path, "weights"), expected, str(starts))


def check_a_positive(kinds: Iterable[EventKind], refuse: Refuse) -> None:
    """Raises BadInput where no kind could ever be positive, its weights rounded as they are used."""
    if not any(weight > 0 for kind in kinds for _, weight in scaled(kind)):
        expected = "a kind with a weight above 0, such as `weight = 1.0` below [events.click]"
        raise refuse(("events",), expected, f"none: weights are rounded to 1/{SCALE}")
