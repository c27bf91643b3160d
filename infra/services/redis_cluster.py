"""Makes a Redis Cluster of servers: who is where, who has which slots, and who is whose replica."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.durable import write_whole
from features.engines.redis_slots import SLOTS, Server
from features.errors import Broken, Unavailable

FORM_TIMEOUT: Final = 60.0
"""Seconds that the servers may take to know one another, and replicas to have what their primaries have."""
LOAD_TIMEOUT: Final = 120.0
"""Seconds that a server may take to load what it has on disk."""
NODES_FILE: Final = "nodes.conf"
"""What a server keeps of its cluster, in its folder."""


def cluster_settings(bus_port: int, node_timeout: float = 3.0) -> dict[str, str]:
    """Settings of a server that is to be one of a cluster, beside those of any. bus_port: where it hears from the others;
    node_timeout: seconds without a reply after which a primary counts as dead."""
    return {
        "cluster-enabled": "yes",
        "cluster-port": str(bus_port),
        "cluster-config-file": NODES_FILE,
        "cluster-node-timeout": str(int(node_timeout * 1000)),
        "repl-diskless-sync-delay": "0",  # a replica need not wait for others to ask for the same
    }


def put_addresses(addresses: Mapping[Path, str]) -> None:
    """Have servers that do not run yet know where they will listen, each by its folder (`host:port@port of the bus`), and of no
    others. The servers of a copied home have the ids of the original's, and would find those where they were before."""
    files = {folder / NODES_FILE: address for folder, address in addresses.items()}
    known = {file: file.read_bytes().splitlines(keepends=True) for file in files if file.exists()}
    address_of = {
        line.split()[0]: files[file].encode() for file, lines in known.items() for line in lines if b"myself" in line
    }
    for file, lines in known.items():
        write_whole(file, b"".join(_elsewhere(line, address_of) for line in lines))


def _elsewhere(line: bytes, address_of: Mapping[bytes, bytes]) -> bytes:
    """Returns a line of NODES_FILE with the address that a server has now; nothing for a server that has none."""
    match line.split(b" ", 3):
        case [name, before, flags, rest] if name in address_of:
            _, comma, more = before.partition(b",")
            address = address_of[name] + comma + more
            return b" ".join([name, address, flags.replace(b",noaddr", b""), rest])
        case [b"vars", *_]:  # of the cluster as a whole
            return line
    return b""


def bring_together(servers: Sequence[Server], primaries: int) -> None:
    """Have servers be one cluster: as they were before; where none has a key, one that is made of them anew, the first of them
    `primaries`. Raises Unavailable where it is not whole within FORM_TIMEOUT after all have loaded what they had on disk, which
    may take LOAD_TIMEOUT, and Broken where slots are nobody's, since a primary has lost what it had."""
    clients = [_client(server) for server in servers]
    try:
        _await(lambda: not any(map(_loads, clients)), time.monotonic() + LOAD_TIMEOUT, "load what they have on disk")
        if any(client.dbsize() for client in clients):
            deadline = time.monotonic() + FORM_TIMEOUT
            _await(lambda: _are_one(clients, servers), deadline, "come to be one cluster again")
            return
        for client in clients:  # what has not come to be whole is left behind
            _run(client, "CLUSTER", "RESET", "HARD")
    except redis.RedisError as error:
        raise Unavailable(f"the Redis Cluster does not come to be whole: {error}") from error
    finally:
        for client in clients:
            client.close()
    form_cluster(servers[:primaries], servers[primaries:])


def form_cluster(primaries: Sequence[Server], replicas: Sequence[Server] = ()) -> None:
    """Make one cluster of empty servers: slots are shared out evenly, the replica number i is that of the primary number i, and
    so on around. Raises Unavailable where it is not whole within FORM_TIMEOUT."""
    deadline = time.monotonic() + FORM_TIMEOUT
    servers = [*primaries, *replicas]
    clients = [_client(server) for server in servers]
    try:
        _share_out(clients[: len(primaries)])
        _await(lambda: _are_one(clients, servers), deadline, "come to be one cluster")
    except redis.RedisError as error:
        raise Unavailable(f"a Redis Cluster could not be made: {error}") from error
    finally:
        for client in clients:
            client.close()


class _View(NamedTuple):
    """
    id       of a server
    primary  whose replica it is; "-": it is none
    slots    how many it serves, as it knows itself
    known    ids of the servers that it knows, its own too
    """

    id: str
    primary: str
    slots: int
    known: frozenset[str]


def _view(client: redis.Redis) -> _View:
    """Returns how a server sees its cluster."""
    lines = [line.split() for line in _run(client, "CLUSTER", "NODES").decode().splitlines()]
    own = next(words for words in lines if "myself" in words[2])
    ranges = [words.partition("-") for words in own[8:] if not words.startswith("[")]  # in brackets: one that moves
    slots = sum(int(last or first) - int(first) + 1 for first, _, last in ranges)
    return _View(own[0], own[3], slots, frozenset(words[0] for words in lines))


def _are_one(clients: Sequence[redis.Redis], servers: Sequence[Server]) -> bool:
    """Whether servers are one cluster that is whole. Those that do not know one another are introduced, as one that has lost
    what it had and has a new id since; and one that has neither slots nor a primary becomes the replica of a primary that has
    the fewest. Raises Broken where slots are nobody's."""
    for _ in range(2):  # slots that move from one to another while both are read seem to be nobody's once
        views = [_view(client) for client in clients]
        served = sum(view.slots for view in views)
        if served >= SLOTS:
            break
    else:
        raise Broken(_what_is_lost(views, servers, SLOTS - served))
    ids = {view.id for view in views}
    if not all(ids <= view.known for view in views):
        _meet(clients[0], clients[1:], servers[1:])
        return False
    if served > SLOTS:  # who served them before has not heard yet who does now
        return False
    followers = Counter(view.primary for view in views)
    for client, view in zip(clients, views, strict=True):
        if not view.slots and view.primary not in ids:
            primary = min((each.id for each in views if each.slots), key=lambda each: followers[each])
            _run(client, "CLUSTER", "REPLICATE", primary)
            followers[primary] += 1
    return all(map(_is_whole, clients))


def _what_is_lost(views: Sequence[_View], servers: Sequence[Server], slots: int) -> str:
    """Returns what is wrong where slots are nobody's: servers whom no other knows have lost what they had."""
    knows = Counter(each for view in views for each in view.known)
    lost = [
        f"server {number} ({host}:{port}) has lost its folder or the {NODES_FILE} in it"
        for number, (view, (host, port)) in enumerate(zip(views, servers, strict=True), 1)
        if knows[view.id] == 1
    ]
    why = f": {', '.join(lost)}" if lost else ""
    return (
        f"the Redis Cluster can't be whole, nobody has {slots} of its {SLOTS} slots{why}; put that back, or empty the folders "
        "redis, redis-2 and so on in the home, all of them: they are filled again"
    )


def _meet(first: redis.Redis, others: Sequence[redis.Redis], servers: Sequence[Server]) -> None:
    """Have a server hear where others are, which are at `servers`."""
    for client, server in zip(others, servers, strict=True):
        config: Any = client.config_get("cluster-port")
        bus = [port for port in config.values() if port != "0"]  # 0: the port and 10,000
        _run(first, "CLUSTER", "MEET", *server, *bus)


def _share_out(clients: Sequence[redis.Redis]) -> None:
    """Give each server its slots, and an epoch of its own: two that claim one would first have to settle it."""
    for number, client in enumerate(clients):
        first, after = SLOTS * number // len(clients), SLOTS * (number + 1) // len(clients)
        _run(client, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
        _run(client, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)


def _client(server: Server) -> redis.Redis:
    host, port = server
    return redis.Redis(host, port, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0))


def _run(client: redis.Redis, *words: str | int) -> Any:
    run: Any = client.execute_command  # of redis-py, without types
    return run(*words)


def _info(client: redis.Redis) -> dict[str, str]:
    lines = _run(client, "CLUSTER", "INFO").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _loads(client: redis.Redis) -> bool:
    persistence: Any = client.info("persistence")
    return bool(persistence["loading"])


def _is_whole(client: redis.Redis) -> bool:
    """Whether a server finds all slots served and, if it is a replica, has what its primary has."""
    if _info(client)["cluster_state"] != "ok":
        return False
    replication: Any = client.info("replication")
    if replication["role"] == "slave":
        return bool(replication["master_link_status"] == "up")
    return all(replication[f"slave{number}"]["state"] == "online" for number in range(replication["connected_slaves"]))


def _await(check: Callable[[], bool], deadline: float, what: str) -> None:
    """Wait until a check holds; it does not while a server loads what it has on disk or what its primary has."""
    began = time.monotonic()
    while not _holds(check):
        if time.monotonic() > deadline:
            raise Unavailable(f"the servers of a Redis Cluster do not {what} within {deadline - began:.0f} s")
        time.sleep(0.05)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except redis.BusyLoadingError:
        return False
