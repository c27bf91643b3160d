"""Keyed state and timers of an operator, in dictionaries. Values must be immutable, since Flink would serialise them."""

from collections.abc import Callable, Iterator
from typing import Any

from features.types import Millis

_IMMUTABLE = (bytes, str, int)


def _checked(value: Any) -> Any:
    if not isinstance(value, _IMMUTABLE):
        raise TypeError(f"expected bytes, str or int in a state, got {type(value).__name__}")
    return value


class MapState:
    """Flink's map state of the current key; only the methods that the job uses."""

    def __init__(self, current: Callable[[], dict[Any, Any]]) -> None:
        self._current = current

    def get(self, key: Any) -> Any:
        return self._current().get(key)

    def put(self, key: Any, value: Any) -> None:
        self._current()[_checked(key)] = _checked(value)

    def put_all(self, values: dict[Any, Any]) -> None:
        for key, value in values.items():
            self.put(key, value)

    def remove(self, key: Any) -> None:
        self._current().pop(key, None)

    def items(self) -> Iterator[tuple[Any, Any]]:
        return iter(list(self._current().items()))


class ListState:
    def __init__(self, current: Callable[[], dict[Any, Any]]) -> None:
        self._current = current

    def get(self) -> Iterator[Any]:
        return iter(list(self._current().values()))

    def add(self, value: Any) -> None:
        current = self._current()
        current[len(current)] = _checked(value)

    def clear(self) -> None:
        self._current().clear()


class ValueState:
    def __init__(self, current: Callable[[], dict[Any, Any]]) -> None:
        self._current = current

    def value(self) -> Any:
        return self._current().get(0)

    def update(self, value: Any) -> None:
        self._current()[0] = _checked(value)


class MemoryStates:
    """States of an operator by name: `current` returns the values of one under the current key. It can be used like
    `streaming.operators.byte_states.FlinkStates`."""

    def __init__(self, current: Callable[[str], Callable[[], dict[Any, Any]]]) -> None:
        self._current = current

    def value(self, name: str) -> ValueState:
        return ValueState(self._current(name))

    def list(self, name: str) -> ListState:
        return ListState(self._current(name))

    def map_by_id(self, name: str) -> MapState:
        return MapState(self._current(name))

    def map_by_text(self, name: str) -> MapState:
        return MapState(self._current(name))


class Store:
    """The keyed state and timers of one operator for all keys: its part of a checkpoint."""

    def __init__(self) -> None:
        self.states: dict[str, dict[int, dict[Any, Any]]] = {}
        self.timers: set[tuple[Millis, int]] = set()

    def copy(self) -> "Store":
        made = Store()
        made.timers = set(self.timers)
        made.states = {name: {key: dict(each) for key, each in keys.items()} for name, keys in self.states.items()}
        return made

    def size(self, name: str | None = None) -> int:
        """Returns the bytes of all values, or of those of one state."""
        maps = (each for state, keys in self.states.items() if name in (None, state) for each in keys.values())
        return sum(len(value) for each in maps for value in each.values() if isinstance(value, bytes | str))
