"""The audit of the locked packages, asked of a database of advisories that runs here."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from features.errors import Unavailable
from infra.system.audit import advisories, audit
from infra.system.locks import MAIN_LOCK, Pin, pins

NUMPY = next(pin for pin in pins(MAIN_LOCK) if pin.name == "numpy")


class Database(ThreadingHTTPServer):
    """Answers like OSV's /v1/querybatch: by name, what `known` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.known: dict[str, list[str]] = {}
        self.body: bytes | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, requests: dict[str, Any]) -> bytes:
        if self.body is not None:
            return self.body
        results = []
        for query in requests["queries"]:
            assert query["package"]["ecosystem"] == "PyPI"
            ids = self.known.get(query["package"]["name"])
            results.append({"vulns": [{"id": id_, "modified": "2026-01-01T00:00:00Z"} for id_ in ids]} if ids else {})
        return json.dumps({"results": results}).encode()


class Answer(BaseHTTPRequestHandler):
    server: Database

    def do_POST(self) -> None:
        requests = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.path == "/v1/querybatch" else 404)
        self.end_headers()
        self.wfile.write(self.server.answer(requests))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def database() -> Iterator[Database]:
    with Database() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_nothing_known_is_a_pass_and_says_how_many_were_audited(database: Database) -> None:
    lines: list[str] = []
    assert audit(lines.append, database.address)
    assert lines[-1].endswith("locked packages audited, 0 with advisories")


def test_an_advisory_is_named_with_package_and_version_and_fails(database: Database) -> None:
    database.known = {"numpy": ["GHSA-2", "GHSA-1"]}
    lines: list[str] = []
    assert not audit(lines.append, database.address)
    assert lines[:2] == [f"numpy {NUMPY.version}: GHSA-1", f"numpy {NUMPY.version}: GHSA-2"]


def test_more_packages_than_one_question_may_hold_are_all_asked(database: Database) -> None:
    database.known = {"p1199": ["CVE-1"], "p0": ["CVE-2"]}
    wanted = [Pin(f"p{number}", "1") for number in range(1200)]
    assert advisories(wanted, database.address) == {wanted[1199]: ["CVE-1"], wanted[0]: ["CVE-2"]}


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"results": [{}]}', b'{"results": 1}', b"{}"])
def test_an_answer_that_does_not_speak_of_each_package_is_no_pass(database: Database, body: bytes) -> None:
    database.body = body
    with pytest.raises(Unavailable, match="nothing was audited"):
        audit(print, database.address)


def test_without_the_database_nothing_is_called_audited() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        closed = server.server_port
    with pytest.raises(Unavailable, match="nothing was audited"):
        audit(print, f"http://127.0.0.1:{closed}")
