"""Slots of a Redis Cluster: which server has which key, and what a server replies where another one has it."""

from binascii import crc_hqx
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from features.errors import Broken

SLOTS: Final = 16384
Server = tuple[str, int]
"""Host and port of a server."""


def slot_of(key: str) -> int:
    """The slot of a key: of what stands between its first braces, where something does, else of all of it.

    >>> slot_of("{u:7}") == slot_of("{u:7}:seen") == slot_of("u:7")
    True
    """
    begin = key.find("{") + 1
    if begin:
        end = key.find("}", begin)
        if end > begin:
            key = key[begin:end]
    return crc_hqx(key.encode(), 0) % SLOTS


def key_in_slot(name: str, slot: int) -> str:
    """A key that begins with a name, and lies in a slot."""
    return f"{name}:{{{_slot_tags()[slot]}}}"


@lru_cache(maxsize=1)
def _slot_tags() -> tuple[str, ...]:
    """A text for each slot, in their order, whose slot it is."""
    tags = [""] * SLOTS
    missing, number = SLOTS, 0
    while missing:
        slot = crc_hqx(b"%d" % number, 0) % SLOTS
        if not tags[slot]:
            tags[slot] = str(number)
            missing -= 1
        number += 1
    return tuple(tags)


class Shard(NamedTuple):
    """Slots first … last, the server that has them, and its replicas."""

    first: int
    last: int
    primary: Server
    replicas: tuple[Server, ...]


def read_shards(reply: Any, source: Server) -> list[Shard]:
    """Reads the reply to CLUSTER SLOTS of a server; where that does not name a host, it is its own. Raises Broken for what is no
    such reply."""
    try:
        return [
            Shard(int(first), int(last), *_split([_server_in(each, source) for each in servers]))
            for first, last, *servers in reply
        ]
    except (TypeError, ValueError) as error:
        raise Broken(f"Redis at {source[0]}:{source[1]}: expected its cluster's slots, got {reply!r:.200}") from error


def _split(servers: Sequence[Server]) -> tuple[Server, tuple[Server, ...]]:
    primary, *replicas = servers
    return primary, tuple(replicas)


def _server_in(entry: Sequence[Any], source: Server) -> Server:
    host, port, *_ = entry
    return named_server((host or b"").decode(), port, source)


def named_server(host: str, port: int, source: Server) -> Server:
    """A server as another one, `source`, names it: without a host it is where that one is."""
    return source[0] if host in ("", "?") else host, int(port)


class SlotMap:
    """Which server has each slot, as far as is known."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._owners: list[Server | None] = [None] * SLOTS
        self.servers: list[Server] = []
        """Those that have slots, each once."""
        self.replicas: list[Server] = []
        for shard in shards:
            self._owners[shard.first : shard.last + 1] = [shard.primary] * (shard.last + 1 - shard.first)
            self.replicas += [each for each in shard.replicas if each not in self.replicas]
            if shard.primary not in self.servers:
                self.servers.append(shard.primary)

    def owner(self, slot: int) -> Server | None:
        """The server that has a slot; None where nobody is known to."""
        return self._owners[slot]

    def owner_of(self, key: str) -> Server | None:
        """The server that has a key; None where nobody is known to."""
        return self._owners[slot_of(key)]

    def owners(self) -> list[Server | None]:
        """The server of each slot."""
        return list(self._owners)

    def move(self, slot: int, server: Server) -> None:
        """Note that a slot is at another server."""
        self._owners[slot] = server
        if server not in self.servers:
            self.servers.append(server)

    def first_slots(self) -> dict[Server, int]:
        """The first slot of each server that has some."""
        found: dict[Server, int] = {}
        for slot, server in enumerate(self._owners):
            if server is not None and server not in found:
                found[server] = slot
        return found

    @property
    def missing(self) -> int:
        """How many slots nobody is known to have."""
        return self._owners.count(None)


class Redirect(NamedTuple):
    """What a server replied instead of carrying out a command. server: who has the key; None: nobody for the moment, since its
    slot moves. importing: that server expects ASKING before the command, and the slot itself is still where it was."""

    slot: int
    server: Server | None
    importing: bool


IMPORT_PREFIX: Final = b"*1\r\n$6\r\nASKING\r\n"
"""The command before one that was redirected by ASK."""
CLUSTER_SLOTS: Final = b"*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n"
CLUSTER_INFO: Final = b"*2\r\n$7\r\nCLUSTER\r\n$4\r\nINFO\r\n"


def is_whole(info: Any) -> bool:
    """Whether a server, by its reply to CLUSTER INFO, is in touch with most primaries and knows a server for each slot."""
    return isinstance(info, bytes) and b"cluster_state:ok" in info


def read_redirect(error: str, source: Server) -> Redirect | None:
    """Reads a server's error; None for one that is no redirection.

    >>> read_redirect("MOVED 3999 10.0.0.1:6381", ("10.0.0.2", 6379))
    Redirect(slot=3999, server=('10.0.0.1', 6381), importing=False)
    >>> read_redirect("WRONGTYPE Operation against a key", ("10.0.0.2", 6379)) is None
    True
    """
    kind, _, rest = error.partition(" ")
    if kind == "TRYAGAIN":
        return Redirect(-1, None, False)
    if kind not in ("MOVED", "ASK"):
        return None
    slot, _, where = rest.partition(" ")
    host, _, port = where.rpartition(":")
    return Redirect(int(slot), named_server(host, int(port), source), kind == "ASK")
