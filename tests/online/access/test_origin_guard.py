"""An API without keys accepts this machine and the configured hosts, and no page of another origin."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from starlette.types import Message

from features.engines.loopback import is_loopback
from features.engines.redis_address import RedisAddress
from online.access.access import OPEN, Access, read_access
from online.access.access_guard import AccessGuard
from online.access.origin_guard import OriginGuard, host_name
from online.access.rate_limits import RateLimits
from online.app import make_app
from online.redis_client.redis_reader import RedisReader
from online.support.reloadable_file import ReloadableFile
from tests.online.conftest import api_settings, write_base

KEY = "k" * 16


def status_of(access: Access, method: str, *headers: tuple[str, str]) -> int:
    """Status of a request with exactly these headers; 200 where it passes."""
    file = ReloadableFile(None, read_access, access)
    limits = RateLimits(RedisReader(RedisAddress("127.0.0.1", 1)), b"")  # never called: no limit is set
    guard = OriginGuard(
        AccessGuard(PlainTextResponse("there"), access=file, limits=limits), access=file, host="127.0.0.1"
    )
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "path": "/v1/thing", "headers": raw, "client": ("127.0.0.1", 1)}
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(guard(scope, receive, send))
    (status,) = statuses
    return status


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "127.8.9.1",
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "home.localhost:1",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]:80",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine_may_be_called(host: str) -> None:
    assert status_of(OPEN, "POST", ("Host", host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "10.0.0.1",
        "0.0.0.0",
        "[::2]",
        "[::1].evil.example",
        "[::1",
        "::1",
        "127.0.0.1:80:80",
        "127.0.0.1:http",
        "evil.example@127.0.0.1",
        "127.1",
        "2130706433",
        "",
    ],
)
def test_any_other_host_is_refused_whatever_is_asked(host: str) -> None:
    assert [status_of(OPEN, method, ("Host", host)) for method in ("GET", "POST")] == [403, 403]


def test_a_request_names_one_host() -> None:
    assert status_of(OPEN, "GET") == 403
    assert status_of(OPEN, "GET", ("Host", "localhost"), ("Host", "evil.example")) == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 200),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("localhost", "https://LOCALHOST", 200),
        ("127.0.0.1:8000", "http://127.0.0.1:3000", 403),
        ("127.0.0.1:8000", "http://localhost:8000", 403),
        ("127.0.0.1:8000", "https://evil.example", 403),
        ("127.0.0.1:8000", "null", 403),
        ("127.0.0.1:8000", "", 403),
        ("127.0.0.1:8000", "file://127.0.0.1:8000", 403),
    ],
)
def test_a_page_may_change_something_where_it_came_from_alone(host: str, origin: str, status: int) -> None:
    headers = ("Host", host), ("Origin", origin)
    assert [status_of(OPEN, method, *headers) for method in ("POST", "PUT")] == [status, status]
    assert status_of(OPEN, "GET", *headers) == 200  # which it can't read: no header lets it


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [
        ("cross-site", None, 403),  # an image whose address is a list: it would be logged as shown
        ("cross-site", "https://evil.example", 403),
        ("cross-site", "https://shop.example", 200),
        ("same-site", None, 200),
        ("same-origin", None, 200),
        ("none", None, 200),  # typed by the user
    ],
)
def test_a_page_of_another_site_may_not_have_a_list_made(site: str, origin: str | None, status: int) -> None:
    access = read_access(b'{"origins": ["https://shop.example"]}')
    headers = [("Host", "localhost:8000"), ("Sec-Fetch-Site", site), *([("Origin", origin)] if origin else [])]
    assert status_of(access, "GET", *headers) == status


def test_a_browser_may_ask_what_is_allowed_from_anywhere() -> None:
    headers = ("Host", "localhost:8000"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")
    assert status_of(OPEN, "OPTIONS", *headers) == 200


def test_hosts_and_origins_of_the_file_may_call() -> None:
    access = read_access(b'{"hosts": ["Films.example", "fd00::7"], "origins": ["https://shop.example"]}')
    host = ("Host", "films.example:8443")
    assert status_of(access, "GET", host) == 200
    assert status_of(access, "GET", ("Host", "[fd00::7]:8000")) == 200
    assert status_of(access, "POST", host, ("Origin", "https://films.example:8443")) == 200
    assert status_of(access, "POST", ("Host", "127.0.0.1:8000"), ("Origin", "https://films.example")) == 200  # a proxy
    assert status_of(access, "POST", host, ("Origin", "https://shop.example")) == 200
    assert status_of(access, "POST", host, ("Origin", "http://shop.example")) == 403
    assert status_of(read_access(b'{"origins": ["*"]}'), "POST", ("Host", "::1"), ("Origin", "null")) == 403
    assert status_of(read_access(b'{"origins": ["*"]}'), "POST", ("Host", "[::1]"), ("Origin", "null")) == 200


def test_where_keys_are_set_they_decide() -> None:
    access = Access(keys={"shop": KEY})
    elsewhere = ("Host", "api.example"), ("Origin", "https://shop.example")
    assert status_of(access, "POST", *elsewhere) == 401
    assert status_of(access, "POST", *elsewhere, ("X-API-Key", KEY)) == 200


@pytest.mark.parametrize("name", ["films.example:80", "https://films.example", "films.example/", "[::1]", "*", ""])
def test_what_is_no_host_is_no_setting(name: str) -> None:
    with pytest.raises(Exception, match="hosts"):
        read_access(json.dumps({"hosts": [name]}).encode())


def test_names_are_read_out_of_the_header() -> None:
    assert [host_name(text) for text in (b"A.b.:1", b"[::1]:2", b"[::1]x", b"a b", b".")] == [
        "a.b",
        "::1",
        None,
        None,
        None,
    ]
    assert not is_loopback("::ffff:10.0.0.1")


def test_the_application_stands_behind_it(tmp_path: Path) -> None:
    write_base(tmp_path / "base" / "1")
    app: Any = make_app(api_settings(tmp_path))

    def answer(host: str, path: str, **headers: str) -> tuple[int, str]:
        found = TestClient(app, base_url=f"http://{host}").get(path, headers=headers)
        return found.status_code, found.headers["content-type"]

    for path in ("/", "/healthz", "/v1/genres", "/openapi.json"):
        assert answer("rebound.example:8000", path) == (403, "application/problem+json")
        assert answer("127.0.0.1:8000", path)[0] == 200
