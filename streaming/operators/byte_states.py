"""Keyed states of bytes in Flink. PyFlink's own would copy all bytes of a lane's map at its first use after each checkpoint, and
wrap each value in a pickle; these pass bytes on as they are, and share them.

Names of states hold STATE_VERSION, so that states of another version are never read.
"""

from typing import Any, Protocol

from pyflink.datastream import RuntimeContext

from streaming.operators.stored_state import STATE_VERSION


class ByteStates(Protocol):
    """Opens the keyed states of an operator, each once. What they return has the methods of PyFlink's states."""

    def value(self, name: str) -> Any: ...

    def list(self, name: str) -> Any: ...

    def map_by_id(self, name: str) -> Any:
        """Keys are integers of 64 bits."""
        ...

    def map_by_text(self, name: str) -> Any: ...


class FlinkStates:
    """States in the backend of the operator that runs. Works in Flink's own process alone."""

    def __init__(self, context: RuntimeContext) -> None:
        self._backend = context.get_keyed_state_backend()._keyed_state_backend

    def value(self, name: str) -> Any:
        from pyflink.fn_execution.datastream.embedded.state_impl import ValueStateImpl

        return ValueStateImpl(self._open("ValueStateDescriptor", name), _identity())

    def list(self, name: str) -> Any:
        from pyflink.fn_execution.datastream.embedded.state_impl import ListStateImpl
        from pyflink.fn_execution.embedded.converters import ListDataConverter

        return ListStateImpl(self._open("ListStateDescriptor", name), ListDataConverter(_identity()))

    def map_by_id(self, name: str) -> Any:
        return self._map(name, "LongSerializer")

    def map_by_text(self, name: str) -> Any:
        return self._map(name, "StringSerializer")

    def _map(self, name: str, keys: str) -> Any:
        from pyflink.fn_execution.datastream.embedded.state_impl import MapStateImpl
        from pyflink.fn_execution.embedded.converters import DictDataConverter

        key_serializer = _java(f"org.apache.flink.api.common.typeutils.base.{keys}").INSTANCE
        state = self._open("MapStateDescriptor", name, key_serializer)
        return MapStateImpl(state, DictDataConverter(_identity(), _identity()))

    def _open(self, descriptor: str, name: str, *serializers: Any) -> Any:
        """Opens a state whose values are shared bytes, and whose keys, if it has any, the serializer writes."""
        values = _java("martlet.SharedBytes").INSTANCE
        described = _java(f"org.apache.flink.api.common.state.{descriptor}")(
            f"{name}-{STATE_VERSION}", *serializers, values
        )
        runtime = "org.apache.flink.runtime.state"
        return self._backend.getPartitionedState(
            _java(f"{runtime}.VoidNamespace").INSTANCE, _java(f"{runtime}.VoidNamespaceSerializer").INSTANCE, described
        )


def _java(name: str) -> Any:
    """A class of Flink's process. The import fails outside of one."""
    from pemja import findClass

    return findClass(name)


def _identity() -> Any:
    from pyflink.fn_execution.embedded.converters import IdentityDataConverter

    return IdentityDataConverter()
