"""Access control (keys, rate limits, CORS) in front of an application that accepts everything."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from features.errors import Broken
from online.app import build_server
from online.http import problems
from online.http.access import OPEN, AccessGuard, Buckets, Limit, read_access, require_admin
from online.support.reloadable_file import ReloadableFile
from tests.online.conftest import api_settings, write_base

KEY, OTHER, ADMIN = "k" * 16, "o" * 20, "a" * 24


class _Server:
    def __init__(self, access: ReloadableFile[Any]) -> None:
        self.access = access


class Door:
    """The guard, its access file, and an HTTP client."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.json"
        self.file = ReloadableFile(str(self.path), read_access, OPEN, required=True)
        app = FastAPI()
        app.state.server = _Server(self.file)
        problems.install(app)

        @app.get("/v1/thing")
        def thing() -> str:
            return "there"

        @app.get("/healthz")
        def healthz() -> str:
            return "alive"

        @app.post("/v1/admin/thing", dependencies=[Depends(require_admin)])
        def admin() -> str:
            return "done"

        app.add_middleware(AccessGuard, access=self.file)
        self.http = TestClient(app)

    def write_access(self, **content: Any) -> None:
        self.path.write_text(json.dumps(content))
        os.utime(self.path, ns=(0, self.path.stat().st_mtime_ns + 1_000_000))
        self.file.refresh()

    def get(self, path: str = "/v1/thing", **headers: str) -> Any:
        return self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


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


def test_an_operator_has_a_key_of_its_own(door: Door) -> None:
    door.write_access(keys={"shop": KEY}, admin_key=ADMIN)

    def post(**headers: str) -> int:
        return int(door.http.post("/v1/admin/thing", headers=headers).status_code)

    assert post() == 401
    assert post(**{"X-Admin-Key": KEY}) == 403
    assert post(**{"X-API-Key": KEY}) == 401
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
    write_base(tmp_path / "base")
    with pytest.raises(Broken, match=r"access\.json"):
        build_server(api_settings(tmp_path, access=str(tmp_path / "access.json")))


def test_buckets_fill_again_and_are_bounded() -> None:
    buckets, limit = Buckets(size=2), Limit(per_second=2, burst=2)
    assert [buckets.take("one", limit, 10.0) for _ in range(3)] == [0, 0, 0.5]
    assert buckets.take("one", limit, 10.5) == 0
    assert buckets.take("one", limit, 10.5) > 0
    buckets.take("two", limit, 10.5)
    buckets.take("three", limit, 10.5)
    assert buckets.take("one", limit, 10.5) == 0  # forgotten, so it begins anew


def test_who_was_silent_for_long_has_one_burst_and_no_more() -> None:
    buckets, limit = Buckets(), Limit(per_second=2, burst=3)
    buckets.take("one", limit, 0.0)
    assert [buckets.take("one", limit, 86_400.0) == 0 for _ in range(4)] == [True] * 3 + [False]


def test_a_wait_is_as_long_as_the_next_call_needs() -> None:
    buckets, limit = Buckets(), Limit(per_second=2, burst=1)
    assert buckets.take("one", limit, 0.0) == 0
    assert buckets.take("one", limit, 0.1) == pytest.approx(0.4)
    assert buckets.take("other", limit, 0.1) == 0
    assert buckets.take("one", limit, 0.5) == 0


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
