"""Readiness probes of running services, each with a timeout; for `Service.ready`, `status` and the job keeper."""

import contextlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from features.errors import Unavailable

if TYPE_CHECKING:
    import redis


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Returns responses of all statuses, where urllib would follow redirects and raise errors."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AnyStatus())


def http_json(url: str, timeout: float = 2.0, method: str = "GET", body: Any = None, also: int = 200) -> Any:
    """Returns the JSON response of a local HTTP service. Raises Unavailable for no response, one that is no HTTP or no JSON, one
    that stops halfway, or a status that is no success and not `also`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    try:
        with _opener.open(request, timeout=timeout) as response:
            raw = response.read(16 << 20)
            if response.status != also and not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                raise Unavailable(f"{method} {url} answered {response.status}: {raw[:400].decode(errors='replace')}")
            return json.loads(raw) if raw else None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{method} {url}: {error}") from error
    except HTTPException as error:  # what another protocol says may end in a line break
        raise Unavailable(f"{method} {url}: {error!r}") from error


def http_status(url: str, timeout: float = 2.0) -> int:
    """Returns the HTTP status of any response, 404 included. Raises Unavailable if none comes, or one that is no HTTP."""
    try:
        with _opener.open(url, timeout=timeout) as response:
            return int(response.status)
    except OSError as error:
        raise Unavailable(f"{url}: {error}") from error
    except HTTPException as error:
        raise Unavailable(f"{url}: {error!r}") from error


def redis_ready(port: int) -> None:
    """Raises Unavailable while Redis can't be read. One that takes no writes, as its memory or its disk is full, still has what
    lists are made of."""
    with _redis_client(port) as client:
        client.get("ready")


def redis_answers(port: int) -> None:
    """Raises Unavailable while a server of a cluster, which may not be whole yet, does not answer."""
    with _redis_client(port) as client:
        client.ping()


@contextlib.contextmanager
def _redis_client(port: int) -> "Iterator[redis.Redis]":
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(port=port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))
    try:
        yield client
    except redis.RedisError as error:
        raise Unavailable(f"Redis on port {port}: {error}") from error
    finally:
        client.close()


def kafka_ready(port: int, cluster_id: str, brokers: int = 1) -> None:
    """Raises Unavailable where no broker of that cluster answers, or it does not know `brokers` of them yet."""
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    try:  # a client that is refused tries again less and less often, for seconds
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError as error:
        raise Unavailable(f"Kafka on port {port}: {error}") from error
    try:
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=3000)
        try:
            found = admin.describe_cluster()
            if found["cluster_id"] != cluster_id:
                raise Unavailable(
                    f"port {port}: expected cluster {cluster_id}, got {found['cluster_id']}, another Kafka"
                )
            known = len(found["brokers"])
            if known < brokers:
                raise Unavailable(f"Kafka has {known} brokers of {brokers} yet")
        finally:
            admin.close()
    except KafkaError as error:
        raise Unavailable(f"Kafka on port {port}: {error}") from error
