"""`python -m online --settings FILE`: the API process."""

import argparse
import asyncio
import gc
import logging
import socket
import sys
from pathlib import Path
from typing import Final

import msgspec
import uvicorn

from features.errors import MartletError
from features.http_connections import Connections, allowed_connections, connection_class
from online.app import make_app
from online.http.problems import NO_HTTP
from online.settings import read_settings
from online.stores.user_updates import UserUpdates
from online.support import metrics
from online.support.background import end

COLLECT_AFTER: Final = (50_000, 20, 20)
"""Objects made and not yet let go until Python looks for circles among them: a list makes some thousand and no circle."""


class _Process(uvicorn.Server):
    """A uvicorn server that closes silent connections, and that ends the open streams before it stops: uvicorn waits for every
    open response."""

    def __init__(self, config: uvicorn.Config, connections: Connections, user_updates: UserUpdates) -> None:
        super().__init__(config)
        self._connections = connections
        self._user_updates = user_updates

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watching = asyncio.create_task(self._connections.watch(), name="connections")
        try:
            await super().serve(sockets)
        finally:
            await end(watching)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._user_updates.end()
        await super().shutdown(sockets)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    try:
        settings = read_settings(arguments.settings)
        app = make_app(settings)
    except (MartletError, msgspec.DecodeError, OSError) as error:
        print(f"online: {arguments.settings}: {error}", file=sys.stderr)
        return 1
    gc.collect()
    gc.freeze()  # a full collection over the catalogue would stall requests
    gc.set_threshold(*COLLECT_AFTER)
    connections = Connections(
        allowed_connections(), on_closed=lambda reason: metrics.CONNECTIONS_CLOSED.labels(reason).inc()
    )
    config = uvicorn.Config(
        app,
        http=connection_class(connections, NO_HTTP),
        ws="none",
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
        backlog=512,
    )
    _Process(config, connections, app.state.server.user_updates).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
