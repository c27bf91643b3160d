"""Where a key is written: at the one server, or at the server of a cluster that has the key's slot.

The order of the writes to a key is that in which they were put, since what is not acknowledged of a key is at one server alone:
routes change only while nothing is on its way.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import CLUSTER_SLOTS, Redirect, Server, SlotMap, read_shards
from features.errors import Broken, Unavailable
from streaming.redis_sink.redis_commands import Write
from streaming.redis_sink.server_pipe import Connect, ServerPipe

REFRESH_EVERY: Final = 0.5
"""Seconds from one question who has which slots to the next, at least."""
SERVERS_QUERIED: Final = 3
"""Servers that are asked at most, one after another, while none replies."""


class Parcel(NamedTuple):
    """Writes by key that go to a server together; importing: that it carries out only after ASKING."""

    pipe: ServerPipe
    writes: dict[str, Write]
    importing: bool = False


class Routes(Protocol):
    """Servers, and which of them has a key."""

    @property
    def pipes(self) -> Sequence[ServerPipe]: ...

    def has(self, pipe: ServerPipe, key: str) -> bool:
        """Whether a key is at a server."""
        ...

    def pipe_of(self, key: str) -> ServerPipe | None:
        """Returns the server that has a key; None where that is not known."""
        ...

    def split(self, writes: dict[str, Write], now: float) -> tuple[Iterable[Parcel], dict[str, Write]]:
        """Share writes out to servers; returns also those whose server pauses, or is not known."""
        ...

    def next_attempt(self, now: float) -> float:
        """When what could not be shared out may be."""
        ...

    def is_stale(self, now: float) -> bool:
        """Whether `refresh` is to be called."""
        ...

    def refresh(self, now: float) -> None:
        """Learn anew who has which keys. Nothing may be on its way."""
        ...

    def follow(self, key: str, redirect: Redirect) -> None:
        """Take it that a key is elsewhere. Nothing may be on its way."""
        ...

    def note_failure(self) -> None:
        """Take it that a server may have lost its keys to another one."""
        ...


class OneServer:
    """A server that has all keys."""

    def __init__(self, address: RedisAddress, connect: Connect) -> None:
        self._pipe = ServerPipe(address, connect)
        self.pipes: Sequence[ServerPipe] = (self._pipe,)

    def has(self, pipe: ServerPipe, key: str) -> bool:
        return True

    def pipe_of(self, key: str) -> ServerPipe | None:
        return self._pipe

    def split(self, writes: dict[str, Write], now: float) -> tuple[Iterable[Parcel], dict[str, Write]]:
        return ((Parcel(self._pipe, writes),), {}) if now >= self._pipe.retry_at else ((), writes)

    def next_attempt(self, now: float) -> float:
        return self._pipe.retry_at

    def is_stale(self, now: float) -> bool:
        return False

    def refresh(self, now: float) -> None:
        """There is nothing to learn."""

    def follow(self, key: str, redirect: Redirect) -> None:
        raise Unavailable(f"Redis at {self._pipe.address} is one of a cluster: redis.cluster = true")

    def note_failure(self) -> None:
        """It has all keys as before."""


class ClusterServers:
    """The primaries of a cluster."""

    def __init__(self, address: RedisAddress, connect: Connect) -> None:
        self._address = address
        self._connect = connect
        self._slots = SlotMap(())
        self._pipes: dict[Server, ServerPipe] = {}
        self._imported: dict[str, Server] = {}
        """Keys of slots that move which are at the slot's next server already."""
        self._is_stale = True
        self._refresh_at = 0.0
        self._refreshes = 0

    @property
    def pipes(self) -> Sequence[ServerPipe]:
        return list(self._pipes.values())

    def has(self, pipe: ServerPipe, key: str) -> bool:
        owner = self._slots.owner_of(key)
        return owner is not None and self._pipes.get(owner) is pipe

    def pipe_of(self, key: str) -> ServerPipe | None:
        owner = self._slots.owner_of(key)
        return None if owner is None else self._pipe(owner)

    def split(self, writes: dict[str, Write], now: float) -> tuple[Iterable[Parcel], dict[str, Write]]:
        left: dict[str, Write] = {}
        parcels: dict[tuple[Server | None, bool], dict[str, Write]] = {}
        for key, write in writes.items():
            imported = self._imported.get(key)
            route = (self._slots.owner_of(key), False) if imported is None else (imported, True)
            parcels.setdefault(route, {})[key] = write
        found = []
        for (server, importing), parcel in parcels.items():
            pipe = None if server is None else self._pipe(server)
            if pipe is None or now < pipe.retry_at:
                left |= parcel
            else:
                found.append(Parcel(pipe, parcel, importing))
        return found, left

    def _pipe(self, server: Server) -> ServerPipe:
        pipe = self._pipes.get(server)
        if pipe is None:
            pipe = self._pipes[server] = ServerPipe(self._address.at(server), self._connect)
        return pipe

    def next_attempt(self, now: float) -> float:
        times = [pipe.retry_at for pipe in self._pipes.values() if pipe.retry_at > now]
        return min([*times, self._refresh_at] if self._is_stale else times, default=now)

    def is_stale(self, now: float) -> bool:
        return self._is_stale and now >= self._refresh_at

    def note_failure(self) -> None:
        self._is_stale = True

    def follow(self, key: str, redirect: Redirect) -> None:
        if redirect.server is None:  # part of its slot has moved: it is tried again
            return
        if redirect.importing:
            self._imported[key] = redirect.server
        else:
            self._imported.pop(key, None)
            self._slots.move(redirect.slot, redirect.server)
        self._is_stale = True

    def refresh(self, now: float) -> None:
        self._refresh_at = now + REFRESH_EVERY
        for server in self._candidates(now)[:SERVERS_QUERIED]:
            pipe = self._pipe(server)
            try:
                shards = read_shards(pipe.request(CLUSTER_SLOTS), server)
            except Broken as error:
                pipe.fail(now, Unavailable(str(error)))
            except Unavailable as error:
                pipe.fail(now, error)
            else:
                if shards:
                    self._use(SlotMap(shards))
                    return

    def _candidates(self, now: float) -> list[Server]:
        """Returns who may know the slots: those that are connected, another one first each time, then all others that don't
        pause."""
        self._refreshes += 1
        connected = [server for server, pipe in self._pipes.items() if pipe.is_connected]
        start = self._refreshes % len(connected) if connected else 0
        others = [*self._slots.servers, *self._slots.replicas, *self._address.servers]
        ordered = dict.fromkeys([*connected[start:], *connected[:start], *others])
        return [server for server in ordered if server not in self._pipes or self._pipes[server].retry_at <= now]

    def _use(self, slots: SlotMap) -> None:
        self._slots = slots
        self._is_stale = slots.missing > 0
        self._imported.clear()
        for server in [server for server in self._pipes if server not in slots.servers]:
            self._pipes.pop(server).close()


def routes_of(address: RedisAddress, connect: Connect) -> Routes:
    """Returns the servers of a Redis."""
    return ClusterServers(address, connect) if address.cluster else OneServer(address, connect)
