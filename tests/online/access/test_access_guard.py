"""Access control (keys, roles, rate limits, CORS) in front of an application that accepts everything."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from features.engines.redis_address import RedisAddress
from features.errors import Broken
from infra.system.processes import free_ports
from online.access.access import CLOSED, OPEN, missing_key, read_access, read_keyed_access
from online.access.access_guard import AccessGuard
from online.access.api_keys import hashed
from online.access.rate_limits import RateLimits
from online.app import build_server
from online.http import problems
from online.redis_client.redis_reader import RedisReader
from online.support.reloadable_file import ReloadableFile
from tests.online.conftest import api_settings, write_base

KEY, OTHER, ADMIN = "k" * 16, "o" * 20, "a" * 24


class Door:
    """The guard, its access file, and an HTTP client. beyond: whether other machines reach it."""

    def __init__(self, folder: Path, beyond: bool = False) -> None:
        self.path = folder / "access.json"
        read, default = (read_keyed_access, CLOSED) if beyond else (read_access, OPEN)
        self.file = ReloadableFile(str(self.path), read, default, required=True, doubt=missing_key)
        app = FastAPI()
        problems.install(app)

        @app.get("/v1/thing")
        def thing() -> str:
            return "there"

        @app.put("/v1/thing")
        def put() -> str:
            return "written"

        @app.post("/v1/rank")
        def rank() -> str:
            return "ranked"

        @app.get("/healthz")
        def healthz() -> str:
            return "alive"

        @app.post("/v1/admin/thing")
        def admin() -> str:
            return "done"

        limits = RateLimits(
            RedisReader(RedisAddress("127.0.0.1", free_ports(1)[0])), b""
        )  # no Redis: this process alone
        app.add_middleware(AccessGuard, access=self.file, limits=limits)
        self.http = TestClient(app)

    def write_access(self, **content: Any) -> None:
        self.path.write_text(json.dumps(content))
        os.utime(self.path, ns=(0, self.path.stat().st_mtime_ns + 1_000_000))
        self.file.refresh()

    def get(self, path: str = "/v1/thing", **headers: str) -> Any:
        return self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def statuses(self, header: str, key: str) -> tuple[int, ...]:
        """Of a call that reads, one that reads by POST, one that writes, and one of an operator."""
        calls = (("GET", "/v1/thing"), ("POST", "/v1/rank"), ("PUT", "/v1/thing"), ("POST", "/v1/admin/thing"))
        return tuple(self.http.request(method, path, headers={header: key}).status_code for method, path in calls)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_without_keys_everyone_may_call(door: Door) -> None:
    door.write_access()
    assert door.get().status_code == 200


def test_with_keys_one_of_them_must_come(door: Door) -> None:
    door.write_access(keys={"shop": KEY, "app": OTHER})
    answer = door.get()
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "X-API-Key" in answer.json()["detail"]
    assert door.get(X_API_Key="k" * 15).status_code == 403
    assert door.get(X_API_Key=KEY).status_code == 200
    assert door.get(X_API_Key=OTHER).status_code == 200
    assert door.get("/healthz").status_code == 200


READ, WRITE = "r" * 16, "w" * 16


def test_a_role_may_do_what_the_one_before_it_may(door: Door) -> None:
    keys = {"reader": {"key": READ, "role": "read"}, "writer": {"key": WRITE, "role": "write"}, "shop": KEY}
    door.write_access(keys=keys | {"boss": {"key": ADMIN, "role": "admin"}})
    assert door.statuses("X-API-Key", READ) == (200, 200, 403, 403)
    assert door.statuses("X-API-Key", WRITE) == (200, 200, 200, 403)
    assert door.statuses("X-API-Key", KEY) == (200, 200, 200, 403)  # as a key was before there were roles
    assert door.statuses("X-API-Key", ADMIN) == (200, 200, 200, 200)
    assert door.statuses("X-Admin-Key", ADMIN) == (401, 401, 401, 200)
    refused = door.http.put("/v1/thing", headers={"X-API-Key": READ})
    assert refused.json()["detail"] == "expected a key of the role write for PUT, got 'reader' of the role read"


def test_another_key_is_asked_for_where_the_one_that_came_does_for_no_call(door: Door) -> None:
    door.write_access(keys={"reader": {"key": READ, "role": "read"}}, admin_key=ADMIN)

    def asked_for(path: str, **headers: str) -> str | None:
        answer = door.http.put(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status_code in (401, 403)
        asked: str | None = answer.headers.get("www-authenticate")
        return asked

    assert asked_for("/v1/thing") == asked_for("/v1/thing", X_API_Key=OTHER) == "X-API-Key"
    assert asked_for("/v1/thing", X_API_Key=READ) is None
    assert asked_for("/v1/admin/thing", X_API_Key=READ) is None
    assert asked_for("/v1/admin/thing", X_Admin_Key=READ) == "X-Admin-Key"


def test_the_operators_key_does_all_where_keys_are_set(door: Door) -> None:
    door.write_access(keys={"reader": {"key": READ, "role": "read"}}, admin_key=ADMIN)
    assert door.statuses("X-API-Key", ADMIN) == (200, 200, 200, 200)


def test_a_key_is_stored_by_its_digest_which_is_no_key(door: Door) -> None:
    door.write_access(
        keys={"reader": {"key": hashed(READ), "role": "read"}, "shop": hashed(KEY)}, admin_key=hashed(ADMIN)
    )
    assert door.statuses("X-API-Key", READ) == (200, 200, 403, 403)
    assert door.statuses("X-API-Key", KEY) == (200, 200, 200, 403)
    assert door.statuses("X-Admin-Key", ADMIN)[-1] == 200
    assert set(door.statuses("X-API-Key", hashed(READ))) == {403}


def test_keys_are_rotated_while_both_hold(door: Door) -> None:
    old, new = {"key": hashed(KEY), "role": "read"}, {"key": hashed(OTHER), "role": "read"}
    statuses = []
    for keys in ({"shop": old}, {"shop": old, "shop-2": new}, {"shop-2": new}):
        door.write_access(keys=keys)
        statuses.append([door.get(X_API_Key=key).status_code for key in (KEY, OTHER)])
    assert statuses == [[200, 403], [200, 200], [403, 200]]


def test_a_key_may_have_a_limit_of_its_own(door: Door) -> None:
    own = {"key": KEY, "limit": {"per_second": 0.01, "burst": 1}}
    door.write_access(keys={"shop": own, "app": OTHER}, limit={"per_second": 0.01, "burst": 3})
    assert [door.get(X_API_Key=KEY).status_code for _ in range(2)] == [200, 429]
    assert [door.get(X_API_Key=OTHER).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_an_operator_has_a_key_of_its_own(door: Door) -> None:
    door.write_access(keys={"shop": KEY}, admin_key=ADMIN)

    def post(**headers: str) -> int:
        return int(door.http.post("/v1/admin/thing", headers=headers).status_code)

    assert post() == 401
    assert post(**{"X-Admin-Key": KEY}) == 403
    assert post(**{"X-API-Key": KEY}) == 403  # its role is to write
    assert post(**{"X-Admin-Key": "x" * 24}) == 403
    assert post(**{"X-Admin-Key": ADMIN}) == 200
    door.write_access(keys={"shop": KEY})
    assert post(**{"X-Admin-Key": ADMIN}) == 404


def test_a_caller_over_its_limit_is_told_when_to_come_again(door: Door) -> None:
    door.write_access(keys={"shop": KEY, "app": OTHER}, limit={"per_second": 0.01, "burst": 3})
    assert [door.get(X_API_Key=KEY).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert 90 <= int(door.get(X_API_Key=KEY).headers["retry-after"]) <= 100
    assert door.get(X_API_Key=OTHER).status_code == 200


def test_pages_of_named_origins_alone_may_call(door: Door) -> None:
    door.write_access(origins=["https://shop.example"], keys={"shop": KEY})
    request_headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    preflight = door.http.options("/v1/thing", headers=request_headers)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE"
    refused = door.get(Origin="https://shop.example")
    assert refused.status_code == 401  # but the page may read why
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    stranger = door.get(Origin="https://other.example", X_API_Key=KEY)
    assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize(
    "content",
    [
        '{"keys": {"shop": "short"}}',
        '{"kees": {}}',
        '{"limit": {"per_second": 0, "burst": 1}}',
        "{",
        '{"admin_key": ""}',
        '{"image_hosts": ["https://img.example"]}',
        '{"image_hosts": ["img.example; script-src *"]}',
        '{"image_hosts": ["img.example\\n"]}',
        '{"hosts": ["films.example\\n"]}',
        '{"keys": {"shop": "sha256:0123456789abcdef"}}',
        '{"keys": {"shop": {"key": "' + KEY + '", "role": "reader"}}}',
        '{"keys": {"shop": {"role": "read"}}}',
        '{"keys": {"shop": "' + KEY + '\\n"}}',
    ],
)
def test_a_file_that_is_wrong_or_gone_opens_nothing(door: Door, content: str) -> None:
    door.write_access(keys={"shop": KEY})
    door.path.write_text(content)
    os.utime(door.path, ns=(0, 1))
    door.file.refresh()
    assert door.file.error is not None
    assert door.get().status_code == 401
    door.path.unlink()
    door.file.refresh()
    assert door.get().status_code == 401


def test_an_api_whose_file_is_not_there_does_not_start(tmp_path: Path) -> None:
    write_base(tmp_path / "base" / "1")
    with pytest.raises(Broken, match=r"access\.json"):
        build_server(api_settings(tmp_path, access=str(tmp_path / "access.json")))


def test_without_keys_each_address_has_a_limit_of_its_own(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.write_access(limit={"per_second": 0.01, "burst": 2})
    one, other = (TestClient(door.http.app, client=(address, 1)) for address in ("10.0.0.1", "10.0.0.2"))
    assert [one.get("/v1/thing").status_code for _ in range(3)] == [200, 200, 429]
    assert other.get("/v1/thing").status_code == 200


def test_any_site_may_call_where_the_file_says_so(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.write_access(origins=["*"])
    answer = door.get(origin="https://anything.example")
    assert answer.headers["access-control-allow-origin"] == "https://anything.example"


def test_what_other_machines_reach_is_closed_once_its_last_key_is_revoked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door(tmp_path, beyond=True)
    door.write_access(keys={"shop": KEY}, admin_key=ADMIN)
    assert (door.statuses("X-API-Key", KEY), door.file.error) == ((200, 200, 200, 403), None)
    door.write_access(admin_key=ADMIN, image_hosts=["img.example"])
    assert door.statuses("X-API-Key", KEY) == (403, 403, 403, 403)
    assert door.get().status_code == 401
    assert door.statuses("X-API-Key", ADMIN) == (200, 200, 200, 200)
    assert door.file.value.image_hosts == ("img.example",)  # the rest of the file is in force
    told = "keys: expected at least one, since other machines reach the API, got none: calls are refused"
    assert told in (door.file.error or "")
    door.file.refresh()
    assert [told in line for line in caplog.messages] == [True]
    door.write_access(keys={"app": OTHER})
    assert (door.get(X_API_Key=OTHER).status_code, door.file.error) == (200, None)


def test_without_a_file_what_other_machines_reach_is_closed(tmp_path: Path) -> None:
    write_base(tmp_path / "base" / "1")
    assert build_server(api_settings(tmp_path, host="0.0.0.0")).access.value.key_needed
    assert not build_server(api_settings(tmp_path)).access.value.key_needed


def test_what_other_machines_reach_does_not_start_without_a_key(tmp_path: Path) -> None:
    write_base(tmp_path / "base" / "1")
    path = tmp_path / "access.json"
    path.write_text("{}")
    with pytest.raises(Broken, match=r"access\.json: keys: expected at least one, since other machines reach the API"):
        build_server(api_settings(tmp_path, host="0.0.0.0", access=str(path)))
    assert build_server(api_settings(tmp_path, access=str(path))).access.error is None
