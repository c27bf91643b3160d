"""Serves the API in this process, until it is told to stop."""

import asyncio
import functools
import gc
import logging
import signal
import socket
from typing import Any, Final

import uvicorn

from features.engines.loopback import is_loopback
from features.http_connections import Connections, allowed_connections, connection_class
from online.app import make_app
from online.http.problems import NO_HTTP
from online.processes.listeners import open_listeners
from online.settings import ApiSettings
from online.stores.user_updates import UserUpdates
from online.support import metrics
from online.support.background import end
from online.support.certificate import exposure
from online.support.log_lines import configure_logging

logger = logging.getLogger(__name__)

HANDSHAKE_S: Final = 5.0
"""Seconds within which a caller must have begun to speak TLS; a connection that stays silent is closed."""
COLLECT_AFTER: Final = (50_000, 20, 20)
"""Objects made and not yet let go until Python looks for circles among them: a list makes some thousand and no circle."""


class _Process(uvicorn.Server):
    """A uvicorn server that closes silent connections, and that ends the open streams before it stops: uvicorn waits for every
    open response."""

    def __init__(self, config: uvicorn.Config, connections: Connections, user_updates: UserUpdates) -> None:
        super().__init__(config)
        self._connections = connections
        self._user_updates = user_updates

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve the first socket, by TLS where there is a certificate, and the others, which are on loopback, by plain HTTP."""
        assert sockets is not None
        await super().startup([])
        loop, config = asyncio.get_running_loop(), self.config
        protocol: Any = config.http_protocol_class
        make = functools.partial(protocol, config=config, server_state=self.server_state, app_state=self.lifespan.state)
        for number, each in enumerate(sockets):
            tls = config.ssl if number == 0 else None
            limit = None if tls is None else HANDSHAKE_S
            self.servers.append(
                await loop.create_server(make, sock=each, ssl=tls, ssl_handshake_timeout=limit, backlog=config.backlog)
            )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watching = asyncio.create_task(self._connections.watch(), name="connections")
        try:
            await super().serve(sockets)
        finally:
            await end(watching)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._user_updates.end()
        await super().shutdown(sockets)


def serve(settings: ApiSettings, number: int = 1, own_port: int | None = None, share: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are answered first, for at most 10 s.

    number    of this process, from 1
    own_port  by which this process alone is reached, on loopback, and others may listen on the port; None: there is none
    share     whether others may listen on the port, too

    Raises BadInput or Broken for settings and files that are wrong. Exits with 3 where the application can't start.
    """
    configure_logging(settings.log)
    sockets = open_listeners(settings.host, settings.port, own_port, share)
    app = make_app(settings, number)
    gc.collect()
    gc.freeze()  # a full collection over the catalogue would stall requests
    gc.set_threshold(*COLLECT_AFTER)
    connections = Connections(
        allowed_connections(), on_closed=lambda reason: metrics.CONNECTIONS_CLOSED.labels(reason).inc()
    )
    certificate = app.state.server.certificate
    if certificate is None and not is_loopback(settings.host):
        logger.warning("%s", exposure(settings.host, by_tls=False))
    config = uvicorn.Config(
        app,
        http=connection_class(connections, NO_HTTP),
        ws="none",
        log_level="warning",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        backlog=512,
        ssl_context_factory=None if certificate is None else lambda _, __: certificate.context,
    )
    for each in (signal.SIGTERM, signal.SIGINT):  # uvicorn stops in order and raises them again: that is no failure
        signal.signal(each, lambda *_: None)
    _Process(config, connections, app.state.server.user_updates).run(sockets)
