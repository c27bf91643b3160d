"""Keyed streams whose rows contain the key."""

from typing import Any, Final

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedStream
from pyflink.java_gateway import get_gateway

BYTES: Final = Types.PICKLED_BYTE_ARRAY()
"""Type of bytes on their way between operators, in a pickle's envelope: PyFlink passes plain arrays on element by element."""


def keyed(stream: DataStream, value_type: TypeInformation) -> KeyedStream:
    """Key a stream of rows (int key, value) by its keys; the next operator gets the values.

    `DataStream.key_by` calls a Python function per element for its key: one more round trip between Java and Python.
    """
    gateway: Any = get_gateway()
    key_type = Types.ROW([Types.INT()]).get_java_type_info()
    java_stream: Any = stream._j_data_stream
    return KeyedStream(java_stream.keyBy(gateway.jvm.KeyByKeySelector(), key_type), value_type, stream)
