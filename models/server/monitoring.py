"""The path of the metrics: TensorFlow Serving's MonitoringConfig, a text file.

The message is described here, by its names and numbers: the package with the other messages does not have it.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from models.server.errors import invalid

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_Field = descriptor_pb2.FieldDescriptorProto


def metrics_path(file: Path | None) -> str:
    """The path of the figures, "" if they are switched off; without a file they are where they always are.

    Raises INVALID_ARGUMENT, naming the file and what is wrong in it.
    """
    if file is None:
        return DEFAULT_PATH
    try:
        message = text_format.Parse(file.read_text(encoding="utf-8"), _message())
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(
            f"can't read the monitoring config file {file}: {getattr(error, 'strerror', None) or error}"
        ) from None
    except text_format.ParseError as error:
        raise invalid(f"{file} is no MonitoringConfig: {error}") from None
    prometheus = message.prometheus_config
    path = prometheus.path or DEFAULT_PATH
    if not path.startswith("/"):
        raise invalid(f"{file}: expected a path that begins with /, got {path!r}")
    return str(path) if prometheus.enable else ""


def _message() -> Any:
    """An empty MonitoringConfig."""
    file = descriptor_pb2.FileDescriptorProto(name="martlet/monitoring.proto", package="martlet", syntax="proto3")
    prometheus, monitoring = (
        file.message_type.add(name="PrometheusConfig"),
        file.message_type.add(name="MonitoringConfig"),
    )
    prometheus.field.add(name="enable", number=1, label=1, type=_Field.TYPE_BOOL)
    prometheus.field.add(name="path", number=2, label=1, type=_Field.TYPE_STRING)
    monitoring.field.add(
        name="prometheus_config", number=1, label=1, type=_Field.TYPE_MESSAGE, type_name=".martlet.PrometheusConfig"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("martlet.MonitoringConfig"))()
