"""Where Redis is and how it is entered, for every client: those of redis-py, and our own over bare sockets.

A Redis is a server or a cluster of servers. How it is entered holds for each server of a cluster.
"""

import socket
import ssl
from typing import Any

import msgspec

from features.engines.host_port import host_port
from features.engines.passwords import REDIS_VARIABLE, password_of
from features.engines.redis_slots import Server
from features.engines.tls import Tls


class RedisAddress(msgspec.Struct, frozen=True):
    """
    host, port  of a server
    database    its number; 0 in a cluster
    tls         None: plain text
    user        of the server's ACL; None: the default one
    password    of that user; None: none is asked for
    cluster     whether the server is one of a cluster
    others      more servers of the cluster, by one of which it is entered where the first does not answer
    password_from  environment variable that has the password where the address is used, in place of it
    """

    host: str
    port: int
    database: int = 0
    tls: Tls | None = None
    user: str | None = None
    password: str | None = None
    cluster: bool = False
    others: tuple[Server, ...] = ()
    password_from: str | None = None

    def without_password(self) -> "RedisAddress":
        """Returns the address as another machine may be told it: the password is in its environment."""
        if self.password is None:
            return self
        return msgspec.structs.replace(self, password=None, password_from=REDIS_VARIABLE)

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that are named: the one, or those by which the cluster is entered."""
        return (self.host, self.port), *self.others

    def at(self, server: Server) -> "RedisAddress":
        """A server of the cluster by itself."""
        host, port = server
        return msgspec.structs.replace(self, host=host, port=port, database=0, cluster=False, others=())

    def client_options(self) -> dict[str, Any]:
        """Returns the options by which a client of redis-py connects to the server, of `redis.asyncio` too. Raises BadInput where
        the environment lacks the password."""
        options: dict[str, Any] = {"host": self.host, "port": self.port, "db": self.database}
        if (password := self._password()) is not None:
            options |= {"username": self.user, "password": password}
        if self.tls is not None:
            options |= {"ssl": True, "ssl_check_hostname": True, "ssl_cert_reqs": "required"}
            options |= {"ssl_ca_certs": self.tls.ca, "ssl_certfile": self.tls.certificate}
        return options

    def ssl_context(self) -> ssl.SSLContext | None:
        """Returns what encrypts a connection; None for plain text. Raises BadInput for files that can't be used."""
        return None if self.tls is None else self.tls.context()

    def greeting(self) -> list[tuple[str, ...]]:
        """Returns the commands, each answered by OK, that a new connection begins with. Raises BadInput where the environment
        lacks the password."""
        commands: list[tuple[str, ...]] = []
        if (password := self._password()) is not None:
            commands.append(("AUTH", *([] if self.user is None else [self.user]), password))
        if self.database:
            commands.append(("SELECT", str(self.database)))
        return commands

    def _password(self) -> str | None:
        return password_of(self.password, self.password_from)

    def open_socket(self, timeout: float) -> socket.socket:
        """Returns a connected socket, whose waits end after `timeout` seconds each; `greeting` is still to be sent. Raises
        OSError, and BadInput for files of TLS that can't be used."""
        context = self.ssl_context()
        plain = socket.create_connection((self.host, self.port), timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return plain if context is None else context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def __str__(self) -> str:
        """Where it is, as a URL without user and password.

        >>> str(RedisAddress("cache", 6379, database=2, password="secret"))
        'redis://cache:6379/2'
        >>> str(RedisAddress("a", 6379, cluster=True, others=(("b", 6380),)))
        'redis://a:6379,b:6380'
        >>> str(RedisAddress("::1", 6379))
        'redis://[::1]:6379'
        """
        scheme = "redis" if self.tls is None else "rediss"
        servers = ",".join(host_port(host, port) for host, port in self.servers)
        return f"{scheme}://{servers}{f'/{self.database}' if self.database else ''}"

    def __repr__(self) -> str:
        """Where it is, without the password."""
        return f"RedisAddress({str(self)!r}, user {self.user!r})"
