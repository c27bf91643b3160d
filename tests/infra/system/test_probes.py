"""What services are asked: by HTTP, where none is there that speaks it, and a Redis that is full."""

from http import HTTPStatus
from pathlib import Path

import pytest
import redis

from features.errors import Unavailable
from infra.system import probes
from tests.redis_process import redis_process
from tests.strange_listeners import halting_server, mail_server


def test_who_speaks_another_protocol_is_unavailable() -> None:
    with mail_server() as address:
        with pytest.raises(Unavailable, match=r"BadStatusLine\(.*220 hello"):
            probes.http_json(f"{address}/overview")
        with pytest.raises(Unavailable, match=r"BadStatusLine\(.*220 hello"):
            probes.http_status(f"{address}/overview")


def test_who_stops_in_the_middle_of_an_error_is_unavailable() -> None:
    with halting_server() as address:
        with pytest.raises(Unavailable, match="timed out"):
            probes.http_json(f"{address}/overview", timeout=0.2)
        assert probes.http_status(f"{address}/overview", timeout=0.2) == HTTPStatus.INTERNAL_SERVER_ERROR


def test_a_redis_that_is_full_is_ready_to_be_read(tmp_path: Path) -> None:
    with redis_process(tmp_path) as server:
        server.client.config_set("maxmemory", 1)
        with pytest.raises(redis.OutOfMemoryError):
            server.client.set("user", "1")
        probes.redis_ready(server.port)
    with pytest.raises(Unavailable):
        probes.redis_ready(server.port)
