"""The command line: TensorFlow Serving's own flag names, as ``--flag value`` or ``--flag=value``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

PROGRAM = "model-server"

_WITHOUT_EFFECT = (
    "batching_parameters_file",
    "enable_batching",
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "flush_filesystem_caches",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "load_retry_interval_micros",
    "max_num_load_retries",
    "mixed_precision",
    "num_load_threads",
    "num_request_iterations_for_warmup",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_num_threads",
    "skip_initialize_tpu",
    "tensorflow_inter_op_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_session_config_file",
    "tensorflow_session_parallelism",
    "thread_pool_factory_config_file",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
)
"""Flags of the real server that only tune what this one settles itself: taken, so that its command lines work here.

What would change who may connect, or which models load (TLS, a socket, tags, platforms), is refused instead.
"""


class UsageError(Exception):
    """A command line that can't be served; the text is one line."""


@dataclass(frozen=True)
class Flags:
    """A checked command line. Ports are None where that API is off; seconds of 0 mean "once"."""

    host: str
    grpc_port: int | None
    rest_port: int | None
    model_config_file: Path | None
    model_name: str
    model_base_path: str
    config_poll_seconds: float
    versions_poll_seconds: float
    rest_timeout_seconds: float
    monitoring_config_file: Path | None
    any_label: bool
    warm_up: bool
    cors: bool
    without_effect: tuple[str, ...] = ()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse(argv: Sequence[str] | None) -> Flags:
    """The flags in ``argv`` (``sys.argv`` if None). Raises UsageError; SystemExit(0) after --help."""
    parser = _Parser(
        prog=PROGRAM, allow_abbrev=False, description="TensorFlow Serving's protocol over its version folders."
    )
    add = parser.add_argument
    add("--port", type=_port, default=8500, help="gRPC port; 0: no gRPC (default 8500)")
    add("--rest_api_port", type=_port, default=0, help="REST port; 0: no REST (default 0)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--model_config_file", type=Path, help="a ModelServerConfig in text format")
    add(
        "--model_config_file_poll_wait_seconds", type=_seconds, default=0.0, metavar="S", help="read it again every S s"
    )
    add("--model_name", default="default", help="name of the only model, without a config file (default: default)")
    add("--model_base_path", default="", help="folder with its versions, an absolute path")
    add(
        "--file_system_poll_wait_seconds",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="look for versions every S s (1)",
    )
    add("--rest_api_timeout_in_ms", type=_seconds, default=30000.0, metavar="MS", help="for a body to arrive (30000)")
    add(
        "--monitoring_config_file",
        type=Path,
        help="a MonitoringConfig in text format: whether and where the figures are",
    )
    for name, default, meaning in (
        ("allow_version_labels_for_unavailable_models", True, "a new label may come before its version (default true)"),
        ("enable_model_warmup", True, "send a version its warm-up requests before it serves (default true)"),
        ("rest_api_enable_cors_support", False, "let pages of other servers read answers (default false)"),
    ):
        add(f"--{name}", type=_truth, nargs="?", const=True, default=default, metavar="BOOL", help=meaning)
    for name in _WITHOUT_EFFECT:
        add(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if not given.model_config_file and not given.model_base_path:
        raise UsageError("expected --model_config_file or --model_base_path, got neither")
    if not given.port and not given.rest_api_port:
        raise UsageError("expected a port: --port and --rest_api_port are both 0")
    if given.port == given.rest_api_port:
        raise UsageError(f"--port and --rest_api_port must differ, got {given.port} for both")
    return Flags(
        host=given.host,
        grpc_port=given.port or None,
        rest_port=given.rest_api_port or None,
        model_config_file=given.model_config_file,
        model_name=given.model_name,
        model_base_path=given.model_base_path,
        config_poll_seconds=given.model_config_file_poll_wait_seconds,
        versions_poll_seconds=given.file_system_poll_wait_seconds,
        rest_timeout_seconds=given.rest_api_timeout_in_ms / 1000,
        monitoring_config_file=given.monitoring_config_file,
        any_label=given.allow_version_labels_for_unavailable_models,
        warm_up=given.enable_model_warmup,
        cors=given.rest_api_enable_cors_support,
        without_effect=tuple(name for name in _WITHOUT_EFFECT if getattr(given, name) is not None),
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number from 0, got {text!r}")
    return value


def _truth(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}") from None
