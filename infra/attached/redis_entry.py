"""An attached Redis, a server or a cluster: examined by `doctor`, entered by `up`."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import redis
from redis.exceptions import NoPermissionError, ReadOnlyError

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import Primary, RedisNodes
from features.engines.redis_slots import SLOTS, Server
from features.errors import BadInput, Unavailable
from features.keys import CHANGED_KEYS, HOME_KEY
from infra.attached.findings import Finding, away, refused, require_well, well
from infra.attached.reaching import reach, tls_finding
from infra.services.redis_program import OLDEST

TIMEOUT: Final = 5.0
_PROBE: Final = "probe:"
"""What keys that are tried begin with. They are nobody's, and go by themselves …"""
_PROBE_S: Final = 60
"""… after so many seconds."""
GRANT: Final = "ACL SETUSER {user} on >PASSWORD ~* &* +@all -@admin -@dangerous +info"
"""What to grant a user who lacks something, in a database that is the home's."""


def enter_redis(address: RedisAddress, home_id: str) -> str:
    """Examine a Redis and mark it as the home's; returns how to name it. Raises BadInput where it won't do or is another home's,
    Unavailable if it does not answer."""
    found = require_well(examine_redis(address, home_id))
    claim_redis(address, home_id)
    named = "Redis: cluster" if address.cluster else "Redis: version"
    return f"attached: {next(each.found for each in found if each.name == named)}"


def claim_redis(address: RedisAddress, home_id: str) -> None:
    """Mark a Redis as the home's. Raises BadInput where another home was first, Unavailable if it does not answer."""
    try:
        with RedisNodes(address, TIMEOUT) as nodes:
            nodes.call("set", HOME_KEY, home_id, nx=True)
            owner = nodes.call("get", HOME_KEY)
    except redis.RedisError as error:
        raise Unavailable(f"Redis at {address}: it could not be marked as this home's: {error}") from error
    if owner is None or owner.decode() != home_id:
        found = "none" if owner is None else owner.decode()
        raise BadInput(f"Redis at {address}", f"a database of this home's ({home_id})", f"another home's: {found}")


def examine_redis(address: RedisAddress, home_id: str) -> Iterator[Finding]:
    """Yields what is found, up to the first finding after which nothing else can be asked."""
    if (unusable := tls_finding("Redis", "redis", address.tls)) is not None:
        yield unusable
        return
    server, reached = _reach_one(address)
    yield reached
    if reached.help:
        return
    with RedisNodes(address, TIMEOUT) as nodes:
        examine = _examine_cluster if address.cluster else _examine_one
        yield from _guarded("Redis", address, lambda: examine(nodes, server, address, home_id))


def _reach_one(address: RedisAddress) -> tuple[Server, Finding]:
    """Returns what came of connecting to the server; of a cluster, to the first that answers, or to the first where none does."""
    found = []
    for server in address.servers:
        found.append((server, reach("Redis", *server, address.tls)))
        if not found[-1][1].help:
            return found[-1]
    return found[0]


def _guarded(name: str, address: RedisAddress, examine: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yields what is found, and how it ended where a server does not go along."""
    try:
        yield from examine()
    except redis.AuthenticationError as error:
        yield refused(
            f"{name}: login", "a user and a password that it knows", str(error), "redis.user and redis.password"
        )
    except redis.RedisError as error:
        yield away(name, f"{address}: {error}", "./martlet doctor asks again")


def _examine_one(nodes: RedisNodes, server: Server, address: RedisAddress, home_id: str) -> Iterator[Finding]:
    client = nodes.client_of(server)
    yield from _server_findings(client, "Redis", address)
    owner = _owner(nodes, address, home_id)
    yield owner
    if not owner.help:
        yield from _rights_findings(Primary(address, client, None), "Redis")


def _examine_cluster(nodes: RedisNodes, server: Server, address: RedisAddress, home_id: str) -> Iterator[Finding]:
    """Each server is examined by itself, since each has users and settings of its own, and a replica may be the next primary."""
    mode = _mode_finding(nodes.client_of(server), address)
    if mode is not None:
        yield mode
        return
    try:
        primaries, slots = nodes.primaries(), nodes.slots()
    except NoPermissionError as error:
        yield _lacks("Redis", address, "cluster|slots", error)
        return
    counts = f"cluster of {len(primaries)} primaries and {len(slots.replicas)} replicas, by {server[0]}:{server[1]}"
    if slots.missing:
        yield refused(
            "Redis: cluster", "all slots served", f"{slots.missing} of {SLOTS} are not", "CLUSTER INFO says more"
        )
        return
    yield well("Redis: cluster", counts)
    owner = _owner(nodes, address, home_id)
    yield owner
    for primary in primaries:
        yield from _member_findings(nodes, (primary.address.host, primary.address.port), address, owner.help, primary)
    for replica in slots.replicas:
        yield from _member_findings(nodes, replica, address, owner.help, None)


def _member_findings(
    nodes: RedisNodes, server: Server, address: RedisAddress, has_other_owner: str, primary: Primary | None
) -> Iterator[Finding]:
    """Yields what is found of a cluster's server; primary: None for a replica, of which rights can't be tried."""
    name = f"Redis {server[0]}:{server[1]}"
    reached = reach(name, *server, address.tls)
    yield reached
    if reached.help:
        return

    def examine() -> Iterator[Finding]:
        yield from _server_findings(nodes.client_of(server), name, address)
        if primary is not None and not has_other_owner:
            yield from _rights_findings(primary, name)

    yield from _guarded(name, address.at(server), examine)


def _mode_finding(client: redis.Redis, address: RedisAddress) -> Finding | None:
    """Returns what is wrong about a server by itself, or of a cluster; None where it is what the settings say."""
    try:
        server: dict[str, Any] = client.info("server")
    except NoPermissionError as error:
        return _lacks("Redis", address, "info", error)
    is_of_cluster = server.get("redis_mode") == "cluster"
    if is_of_cluster and not address.cluster:
        return refused("Redis: mode", "a single server", "one of a Redis Cluster", "redis.cluster = true")
    if address.cluster and not is_of_cluster:
        return refused("Redis: mode", "one of a Redis Cluster", "a single server", "leave out redis.cluster")
    return None


def _server_findings(client: redis.Redis, name: str, address: RedisAddress) -> Iterator[Finding]:
    try:
        server: dict[str, Any] = client.info("server") | client.info("persistence") | client.info("memory")
    except NoPermissionError as error:
        yield _lacks(name, address, "info", error)
        return
    yield version_finding(server, name)
    if not address.cluster and (mode := _mode_finding(client, address)) is not None:
        yield mode
        return
    policy = str(server.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        yield refused(
            f"{name}: maxmemory-policy",
            "noeviction",
            policy,
            "features would be dropped unseen: CONFIG SET maxmemory-policy noeviction",
        )
    lasting = (
        "append-only file"
        if server.get("aof_enabled")
        else "no append-only file: after a restart of it all is written anew"
    )
    yield well(f"{name}: persistence", lasting)


def _owner(nodes: RedisNodes, address: RedisAddress, home_id: str) -> Finding:
    """Returns whose it is: nothing is tried in another home's."""
    try:
        stored = nodes.call("get", HOME_KEY)
    except NoPermissionError as error:
        return _lacks("Redis", address, "get", error)
    owner = None if stored is None else stored.decode()
    if owner in (None, home_id):
        return well("Redis: owner", "nobody's yet" if owner is None else "this home's")
    return refused(
        "Redis: owner",
        "a database of this home's or nobody's",
        f"another home's: {owner}",
        "redis.url names another cluster" if address.cluster else "redis.url names another database",
    )


def _rights_findings(primary: Primary, name: str) -> Iterator[Finding]:
    for right, attempt in _rights(primary).items():
        try:
            attempt()
        except NoPermissionError as error:
            yield _lacks(name, primary.address, right, error)
        except ReadOnlyError:
            yield refused("Redis: role", "a primary", "a replica", "name the primary in redis.url")
            return


def version_finding(server: dict[str, Any], name: str) -> Finding:
    """Returns whether the version will do that a server reports by INFO."""
    is_valkey = "valkey_version" in server
    version = str(server["valkey_version" if is_valkey else "redis_version"])
    numbers = tuple(int(part) for part in version.split(".")[:2])
    kind = "Valkey" if is_valkey else "Redis"
    oldest = OLDEST[kind]
    if numbers < oldest:
        return refused(f"{name}: version", f"{kind} {'.'.join(map(str, oldest))} or newer", version, "upgrade it")
    return well(f"{name}: version", f"{kind} {version}")


def _rights(primary: Primary) -> dict[str, Callable[[], Any]]:
    """Returns an attempt at each kind of command that the parts of Martlet send, by its name."""
    client = primary.client
    key, seen, hidden, item, text = (primary.key(_PROBE + name) for name in ("hash", "set", "sorted", "stream", "text"))
    return {
        "hset": lambda: (client.hset(key, "v", "1"), client.expire(key, _PROBE_S)),
        "hmget": lambda: client.hmget(key, ["v"]),
        "eval": lambda: client.eval("return redis.call('HGET', KEYS[1], 'v')", 1, key),
        "script|load": lambda: client.script_load("return 1"),
        "sadd": lambda: (client.sadd(seen, 1), client.expire(seen, _PROBE_S), client.smembers(seen)),
        "zadd": lambda: (
            client.zadd(hidden, {"1": 1}),
            client.expire(hidden, _PROBE_S),
            client.zrange(hidden, 0, -1),
        ),
        "xadd": lambda: (
            client.xadd(item, {CHANGED_KEYS: "1"}, maxlen=1),
            client.expire(item, _PROBE_S),
            client.xrange(item),
            client.xread({item: "0"}),
        ),
        "scan": lambda: client.scan(match=item, count=10),
        "set": lambda: (client.set(text, "1", ex=_PROBE_S), client.get(text), client.time()),
        "publish": lambda: client.publish(_PROBE + "channel", "1"),
        "subscribe": lambda: _subscribe(client),
        "del": lambda: client.delete(key, seen, hidden, item, text),
    }


def _subscribe(client: redis.Redis) -> None:
    pubsub: Any = client.pubsub  # of redis-py, without types
    with pubsub() as channel:
        channel.subscribe(_PROBE + "channel")
        channel.get_message(timeout=TIMEOUT)


def _lacks(name: str, address: RedisAddress, right: str, error: redis.RedisError) -> Finding:
    user = address.user or "default"
    return refused(f"{name}: rights, {right}", f"that user {user} may", str(error), GRANT.format(user=user))
