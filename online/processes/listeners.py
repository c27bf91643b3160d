"""The sockets of an API process: the port that all of them listen on, and one of its own by which this process is reached."""

import socket

from features.engines.loopback import LOOPBACK
from features.errors import BadInput


def open_listeners(host: str, port: int, own_port: int | None, share: bool = False) -> list[socket.socket]:
    """Sockets bound to `port`, which other processes of the same user may share then, and to `own_port` on loopback; without one
    `port` is this process' alone, unless they may share it all the same. The kernel spreads connections over those that listen.
    Raises BadInput for an address that can't be had."""
    shared = _bind(host, port, share=share or own_port is not None)
    if own_port is None:
        return [shared]
    try:
        return [shared, _bind(LOOPBACK, own_port, share=False)]
    except BadInput:
        shared.close()
        raise


def _bind(host: str, port: int, share: bool) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadInput("host, port", "an address of this machine", f"{host}, port {port}: {error}") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        raise BadInput(
            "host, port", "a free port on an address of this machine", f"{host}, port {port}: {error}"
        ) from error
    return opened
