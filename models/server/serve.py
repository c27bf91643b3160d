"""The process: both protocols on one event loop, one thread for versions, an orderly end.

The ports open when everything that was there at the start has been tried, so a client that can connect finds the models
that can be had.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn

from features.engines.host_port import host_port
from features.http_connections import Connections, RequestLimit, allowed_connections, connection_class
from models.server import config
from models.server.buffered import Buffered
from models.server.config import Config
from models.server.config_file import ConfigFile
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import Lanes
from models.server.errors import ServingError
from models.server.flags import Flags
from models.server.grpc_service import GrpcService
from models.server.metrics import Metrics
from models.server.monitoring import metrics_path
from models.server.rest import RestApp, refuse_busy

_log = logging.getLogger(__name__)
GRACE_SECONDS = 5
"""The time that requests under way may take to finish after SIGTERM, s."""

_NO_HTTP = ("application/json", '{"error": "this is no valid HTTP request"}')


class StartError(Exception):
    """The server can't start; the text is one line."""


class _Http(uvicorn.Server):
    """uvicorn with the signals left to us, and without silent connections."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watching = asyncio.create_task(self._connections.watch())
        try:
            await super().serve(sockets)
        finally:
            watching.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(flags: Flags) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartError for a bad configuration or a port that is taken."""
    sys.setswitchinterval(0.001)  # a large request on its thread yields to the loop sooner than after 5 ms
    gc.collect()
    gc.freeze()  # TensorFlow's objects are there for good, and walking them stops every request for a tenth of a second
    try:
        models = _read(flags)
        figures = metrics_path(flags.monitoring_config_file)
        manager = Manager(models, flags.versions_poll_seconds, flags.warm_up, flags.any_label)
    except ServingError as error:
        raise StartError(error.message) from None
    asyncio.run(_serve(flags, models, manager, figures))


def _read(flags: Flags) -> Config:
    if flags.model_config_file:
        return config.read_file(flags.model_config_file)
    return config.single_model(flags.model_name, flags.model_base_path)


async def _serve(flags: Flags, models: Config, manager: Manager, figures: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics, lanes, buffered = Metrics(), Lanes(), Buffered()
    rest = RestApp(manager, metrics, lanes, buffered, flags.rest_timeout_seconds, figures, flags.cors)
    rest_socket = _bind(flags.host, flags.rest_port, "--rest_api_port") if flags.rest_port else None
    if flags.grpc_port:
        _bind(flags.host, flags.grpc_port, "--port").close()  # gRPC binds below; a taken port is known before loading
    manager.start()
    try:
        while not manager.first_pass.is_set() and not stop.is_set():
            await asyncio.sleep(0.02)
        if not stop.is_set():
            poll = asyncio.create_task(_poll_config(flags, models, manager))
            service = GrpcService(manager, metrics, lanes, buffered)
            await _serve_ports(flags, manager, service, rest, rest_socket, stop)
            poll.cancel()
    finally:
        manager.stop()
        lanes.close()


async def _serve_ports(
    flags: Flags,
    manager: Manager,
    service: GrpcService,
    rest: RestApp,
    rest_socket: socket.socket | None,
    stop: asyncio.Event,
) -> None:
    grpc_server = await _start_grpc(flags, service)
    http = _http(rest) if rest_socket else None
    http_task = asyncio.create_task(http.serve(sockets=[rest_socket])) if http and rest_socket else None
    while http and http_task and not http.started and not http_task.done():
        await asyncio.sleep(0.005)
    _announce(flags, manager)
    await stop.wait()
    _log.info("stopping: requests under way have %d s", GRACE_SECONDS)
    if http:
        http.should_exit = True
    if grpc_server:
        await grpc_server.stop(GRACE_SECONDS)
    if http_task:
        await http_task


async def _start_grpc(flags: Flags, service: GrpcService) -> Any:
    if not flags.grpc_port:
        return None
    server = service.server()
    try:
        server.add_insecure_port(host_port(flags.host, flags.grpc_port))
    except RuntimeError as error:
        raise StartError(f"can't listen on {host_port(flags.host, flags.grpc_port)} (--port): {error}") from None
    await server.start()
    return server


def _http(app: RestApp) -> _Http:
    connections = Connections(allowed_connections())
    return _Http(
        uvicorn.Config(
            RequestLimit(app, refuse_busy),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            http=connection_class(connections, _NO_HTTP),
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        connections,
    )


def _bind(host: str, port: int, flag: str) -> socket.socket:
    """A bound socket that does not listen yet, so that nobody connects before there is an answer."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise StartError(f"can't listen on {host_port(host, port)} ({flag}): {error.strerror}") from None
    return listener


async def _poll_config(flags: Flags, models: Config, manager: Manager) -> None:
    if not flags.model_config_file or not flags.config_poll_seconds:
        return
    file = ConfigFile(flags.model_config_file, models, manager)
    while True:
        await asyncio.sleep(flags.config_poll_seconds)
        await asyncio.to_thread(file.follow)


def _announce(flags: Flags, manager: Manager) -> None:
    where = [f"gRPC on {host_port(flags.host, flags.grpc_port)}"] if flags.grpc_port else []
    where += [f"REST on http://{host_port(flags.host, flags.rest_port)}"] if flags.rest_port else []
    models = ", ".join(
        f"{name}/{'+'.join(map(str, versions))}" if versions else f"{name} (no version yet)"
        for name, versions in sorted(manager.available().items())
    )
    _log.info("ready: %s; models: %s", " and ".join(where), models or "none")
