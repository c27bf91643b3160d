"""Lines of the log: JSON on request, with ids and without anything personal."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from online.support.log_lines import MAX_IDS, JsonLines, requests_logger
from tests.online.in_process import api


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the log of requests gets, in JSON."""
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Kept()
    handler.setFormatter(JsonLines())
    requests_logger.addHandler(handler)
    requests_logger.setLevel(logging.INFO)
    yield written
    requests_logger.setLevel(logging.WARNING)
    requests_logger.removeHandler(handler)


def test_a_request_is_a_line_with_its_ids_and_nothing_personal(tmp_path: Path, lines: list[str]) -> None:
    client = TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")
    shown = client.get("/v1/recommendations", params={"user_id": 7}).json()["request_id"]
    sent = [{"event_id": f"e-{at}", "type": "click", "user_id": 7345, "item_id": 2} for at in range(MAX_IDS + 5)]
    client.post("/v1/events", json=sent)
    client.get("/v1/users/7345")
    found = [json.loads(line) for line in lines]
    assert [(each["method"], each["route"], each["status"]) for each in found] == [
        ("GET", "/v1/recommendations", 200),
        ("POST", "/v1/events", 202),
        ("GET", "/v1/users/{user_id}", found[2]["status"]),
    ]
    assert found[0]["request_ids"] == [shown]
    assert found[1]["event_ids"] == [f"e-{at}" for at in range(MAX_IDS)]
    assert all(each["ms"] >= 0 and each["ts"].endswith("Z") and each["level"] == "info" for each in found)
    assert "7345" not in "".join(lines)


def test_a_line_is_one_line_whatever_happened() -> None:
    try:
        raise ValueError("over\ntwo lines")
    except ValueError:
        record = logging.LogRecord("online.app", logging.ERROR, "", 1, "broke: %s", ("é\n",), sys.exc_info())
    text = JsonLines().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["logger"], line["message"]) == ("error", "online.app", "broke: é\n")
    assert "ValueError: over\ntwo lines" in line["error"]
