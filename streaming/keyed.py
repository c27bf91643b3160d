"""Streams that carry their key with them."""

from typing import Any

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedStream
from pyflink.java_gateway import get_gateway


def keyed(stream: DataStream, value_type: TypeInformation) -> KeyedStream:
    """A stream of rows (key, value) by its keys, whole numbers; what follows gets the values.

    `DataStream.key_by` asks a Python function for the key of each element: one more way from Java to Python and back.
    """
    gateway: Any = get_gateway()
    key_type = Types.ROW([Types.INT()]).get_java_type_info()
    java_stream: Any = stream._j_data_stream
    return KeyedStream(java_stream.keyBy(gateway.jvm.KeyByKeySelector(), key_type), value_type, stream)
