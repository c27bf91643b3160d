"""All servers of a Redis through redis-py: the one, or a cluster's primaries. For whoever may wait: the job and the API have
clients of their own.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AskError, ClusterDownError, MovedError, NoScriptError, TryAgainError
from redis.retry import Retry

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server, SlotMap, is_whole, key_in_slot, named_server, read_shards, slot_of
from features.errors import Broken

ROUNDS: Final = 5
"""How often a command is sent again at most: to where its slot has moved, or where its script is not loaded yet."""
PAUSE: Final = 0.02
"""Seconds from the second round to the third; twice as much to the next."""
SCANNED: Final = 1000
"""Keys that a server scans per call."""

_TO_BE_SENT_AGAIN = (MovedError, TryAgainError, NoScriptError)


class Command(NamedTuple):
    """A method of redis-py with its arguments, about a key or several in its slot."""

    key: str
    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def put_into(self, pipe: "redis.client.Pipeline") -> None:
        getattr(pipe, self.method)(*self.arguments, **self.options)


_BEFORE_IMPORTED = Command("", "execute_command", ("ASKING",), {})


class Primary(NamedTuple):
    """A server with keys. slot: one that it has; None: it has all keys."""

    address: RedisAddress
    client: redis.Redis
    slot: int | None

    def key(self, name: str) -> str:
        """A key at this server that begins with a name."""
        return name if self.slot is None else key_in_slot(name, self.slot)


class RedisNodes:
    """Clients of all servers, each of which connects with its first call and waits for `timeout` seconds at most. Calls raise
    redis.RedisError. Not thread-safe."""

    def __init__(self, address: RedisAddress, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._clients: dict[Server, redis.Redis] = {}
        self._slots = SlotMap(())
        self._is_stale = address.cluster
        """Whether somebody else may have some slots than is known."""

    def __enter__(self) -> "RedisNodes":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def client_of(self, server: Server) -> redis.Redis:
        """The client of one server."""
        client = self._clients.get(server)
        if client is None:
            address = self._address.at(server) if self._address.cluster else self._address
            client = self._clients[server] = redis.Redis(
                **address.client_options(),
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
            )
        return client

    def slots(self) -> SlotMap:
        """Who has which slots in a cluster."""
        if self._is_stale:
            self._slots = self._read_slots()
            self._is_stale = False
        return self._slots

    def forget_slots(self) -> None:
        """Learn anew, with the next call, who has which slots."""
        self._is_stale = self._address.cluster

    def _read_slots(self) -> SlotMap:
        """Asks one server after another; who finds the cluster whole is believed first, since one that is cut off does not know
        its successor."""
        known = [*self._slots.servers, *self._slots.replicas]
        trouble: Exception | None = None
        of_cut_off: SlotMap | None = None
        for server in dict.fromkeys([*known, *self._address.servers]):
            run: Any = self.client_of(server).execute_command  # of redis-py, without types
            try:
                shards = read_shards(run("CLUSTER", "SLOTS"), server)
                finds_whole = is_whole(run("CLUSTER", "INFO"))
            except (redis.RedisError, Broken) as error:
                trouble = error
                continue
            if shards and finds_whole:
                return SlotMap(shards)
            of_cut_off = of_cut_off or (SlotMap(shards) if shards else None)
        if of_cut_off is not None:
            return of_cut_off
        if isinstance(trouble, redis.RedisError):
            raise trouble
        raise redis.ConnectionError(f"no server of the cluster knows its slots: {trouble}")

    def primaries(self) -> list[Primary]:
        """All servers with keys as they are now."""
        if not self._address.cluster:
            server = self._address.servers[0]
            return [Primary(self._address, self.client_of(server), None)]
        self.forget_slots()
        first = self.slots().first_slots()
        return [Primary(self._address.at(server), self.client_of(server), slot) for server, slot in first.items()]

    def redirected(self, client: redis.Redis, reply: AskError) -> Server:
        """The server that a reply redirects to, as the one that replied names it."""
        source = next(server for server, known in self._clients.items() if known is client)
        return named_server(reply.host, reply.port, source)

    def owner_of(self, key: str) -> redis.Redis:
        """The client of the server that has a key."""
        if not self._address.cluster:
            return self.client_of(self._address.servers[0])
        owner = self.slots().owner_of(key)
        if owner is None:
            self.forget_slots()
            raise ClusterDownError(f"no server has the slot {slot_of(key)}")
        return self.client_of(owner)

    def pipeline(self) -> "NodesPipeline":
        """Commands to be sent together."""
        return NodesPipeline(self)

    def call(self, method: str, key: str, *arguments: Any, **options: Any) -> Any:
        """Send one command; returns its reply."""
        pipe = self.pipeline()
        pipe.add(method, key, *arguments, **options)
        return pipe.execute()[0]

    def scan(self) -> Iterator[bytes]:
        """Yields all keys of all servers."""
        for primary in self.primaries():
            yield from primary.client.scan_iter(count=SCANNED)


class NodesPipeline:
    """Commands for the servers that have their keys, without a transaction."""

    def __init__(self, nodes: RedisNodes) -> None:
        self._nodes = nodes
        self._scripts: dict[str, str] = {}
        self._commands: list[Command] = []

    def add(self, method: str, key: str, *arguments: Any, **options: Any) -> None:
        """Add a command by its method of redis-py, whose first argument is the key."""
        self._commands.append(Command(key, method, (key, *arguments), options))

    def add_script(self, script: str, keys: Sequence[str], arguments: Iterable[Any]) -> None:
        """Add the call of a script, of keys in one slot."""
        digest = self._scripts.get(script)
        if digest is None:
            digest = self._scripts[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._commands.append(Command(keys[0], "evalsha", (digest, len(keys), *keys, *arguments), {}))

    def execute(self) -> list[Any]:
        """Send the commands; returns their replies in order. Raises the first error."""
        commands, self._commands = self._commands, []
        replies: list[Any] = [None] * len(commands)
        left: Iterable[int] = range(len(commands))
        for again in range(ROUNDS):
            for client, numbers in self._by_server(commands, left).items():
                found = self._run(client, [commands[number] for number in numbers])
                for number, reply in zip(numbers, found, strict=True):
                    replies[number] = self._followed(client, commands[number], reply)
            left = [number for number in left if isinstance(replies[number], _TO_BE_SENT_AGAIN)]
            if not left:
                break
            time.sleep(again * PAUSE)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _by_server(self, commands: Sequence[Command], numbers: Iterable[int]) -> dict[redis.Redis, list[int]]:
        by_server: dict[redis.Redis, list[int]] = {}
        for number in numbers:
            by_server.setdefault(self._nodes.owner_of(commands[number].key), []).append(number)
        return by_server

    def _run(self, client: redis.Redis, commands: Iterable[Command]) -> list[Any]:
        """Send commands to a server; returns their replies, which may be errors. Raises what is none."""
        pipe = client.pipeline(transaction=False)
        for command in commands:
            command.put_into(pipe)
        try:
            return pipe.execute(raise_on_error=False)
        except redis.RedisError:
            self._nodes.forget_slots()  # another server may have taken over
            raise

    def _followed(self, client: redis.Redis, command: Command, reply: Any) -> Any:
        """Returns the reply, or that of where it redirects to; sees to it that what is sent again may succeed."""
        if isinstance(reply, MovedError):
            self._nodes.slots().move(reply.slot_id, self._nodes.redirected(client, reply))
        elif isinstance(reply, AskError):
            target = self._nodes.client_of(self._nodes.redirected(client, reply))
            found = self._run(target, (_BEFORE_IMPORTED, command))[1]
            return self._followed(target, command, found) if isinstance(found, NoScriptError) else found
        elif isinstance(reply, NoScriptError):
            for script in self._scripts:
                client.script_load(script)
        elif isinstance(reply, ClusterDownError):
            self._nodes.forget_slots()
        return reply
