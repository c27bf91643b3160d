"""The embedded server answers as TensorFlow Serving's own core did: every recorded case, word for word."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.server.testing import ServerProcess

pytestmark = pytest.mark.keras

RECORDED = Path(__file__).parent / "recorded"
REST_CASES: list[dict[str, Any]] = json.loads((RECORDED / "rest_cases.json").read_text())
SWAP_STEPS: list[dict[str, Any]] = json.loads((RECORDED / "hotswap_cases.json").read_text())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.conformance.half_plus_two import write_models

    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


def config_file(path: Path, *entries: str) -> str:
    path.write_text("model_config_list {\n" + "\n".join(f"config {{ {entry} }}" for entry in entries) + "\n}\n")
    return f"--model_config_file={path}"


class Swaps:
    """What the steps do to the folder of versions."""

    def __init__(self, models: Path, base: Path) -> None:
        self._finished = models / "half_plus_two" / "00000123"
        self.base = base
        base.mkdir()

    def start(self) -> None:
        self._arrive("001")

    def swap(self) -> None:
        self._arrive("002")

    def broken_version(self) -> None:
        (self.base / "003").mkdir()

    def next_good(self) -> None:
        (self.base / "003").rmdir()
        self._arrive("004")

    def rollback(self) -> None:
        shutil.rmtree(self.base / "004")

    def not_a_number(self) -> None:
        (self.base / "tmp_dir").mkdir()
        (self.base / "5abc").mkdir()

    def _arrive(self, name: str) -> None:
        aside = self.base.parent / f"aside-{name}"
        shutil.copytree(self._finished, aside)
        aside.rename(self.base / name)


@pytest.fixture(scope="module")
def swapped(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Swaps:
    """The folder that the steps work on, as the first step wants it."""
    swaps = Swaps(models, tmp_path_factory.mktemp("swapped") / "versions")
    swaps.start()
    return swaps


@pytest.fixture(scope="module")
def servers(
    models: Path, swapped: Swaps, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, ServerProcess]]:
    folder = tmp_path_factory.mktemp("configs")
    half = f'name: "half_plus_two" base_path: "{models}/half_plus_two" model_platform: "tensorflow"'
    multi = f'name: "multi" base_path: "{models}/multi" model_platform: "tensorflow"'
    every = half + ' model_version_policy { all {} } version_labels { key: "stable" value: 123 }'
    starting = {
        "default": ServerProcess(config_file(folder / "default", half, multi)),
        "both_versions": ServerProcess(config_file(folder / "both", every)),
        "swapped": ServerProcess("--model_name=half_plus_two", f"--model_base_path={swapped.base}"),
    }
    with ExitStack() as stack:
        for server in starting.values():  # where one does not come up, the others go, too
            stack.callback(server.process.kill)
        yield {name: stack.enter_context(server) for name, server in starting.items()}


@pytest.mark.parametrize("case", REST_CASES, ids=lambda case: case["name"])
def test_rest_case(case: dict[str, Any], servers: dict[str, ServerProcess]) -> None:
    response = httpx.request(
        case["method"],
        servers[case["server"]].url + case["path"],
        content=case["body"],
        headers=case.get("headers"),
        timeout=10,
    )
    text = response.text
    assert response.status_code == case["expect_status"], text
    for key, check in CHECKS.items():
        if key in case:
            check(response, case[key])


def contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contains(whole[key], part[key]) for key in part)
    return bool(whole == part)


def check_json(response: httpx.Response, expected: Any) -> None:
    assert response.json() == expected


def check_json_contains(response: httpx.Response, expected: Any) -> None:
    assert contains(response.json(), expected), response.text


def check_json_approx(response: httpx.Response, expected: Any) -> None:
    assert {key: pytest.approx(value) for key, value in expected.items()} == response.json()


def check_error_contains(response: httpx.Response, expected: str) -> None:
    assert expected in response.json()["error"]


def check_text(response: httpx.Response, expected: str) -> None:
    assert response.text == expected


def check_text_compact(response: httpx.Response, expected: str) -> None:
    assert re.sub(r"\s", "", response.text) == expected


def check_content_type(response: httpx.Response, expected: str) -> None:
    assert response.headers["content-type"] == expected


CHECKS: dict[str, Callable[[httpx.Response, Any], None]] = {
    "expect_json": check_json,
    "expect_json_contains": check_json_contains,
    "expect_json_approx": check_json_approx,
    "expect_error_contains": check_error_contains,
    "expect_text": check_text,
    "expect_text_strict": check_text,
    "expect_text_compact_strict": check_text_compact,
    "expect_content_type": check_content_type,
}


def test_every_expectation_is_checked() -> None:
    assert {key for case in REST_CASES for key in case if key.startswith("expect_")} <= CHECKS.keys() | {
        "expect_status"
    }


def statuses(url: str) -> list[dict[str, Any]]:
    response = httpx.get(f"{url}/v1/models/half_plus_two", timeout=10)
    listed: list[dict[str, Any]] = response.json()["model_version_status"]
    return listed


def brief(listed: list[dict[str, Any]]) -> list[list[str]]:
    return [[entry["version"], entry["state"], entry["status"]["error_code"]] for entry in listed]


def test_hot_swap_step_by_step(swapped: Swaps, servers: dict[str, ServerProcess]) -> None:
    url = servers["swapped"].url
    assert SWAP_STEPS[0]["name"] == "start"
    for step in SWAP_STEPS:
        if step["name"] != "start":
            getattr(swapped, step["name"])()
        if step["name"] == "not_a_number":
            time.sleep(step["within_s"])
        deadline = time.monotonic() + 10 * step.get("within_s", 0)  # other tests run beside
        while brief(statuses(url)) != step["expect_status_json"] and time.monotonic() < deadline:
            time.sleep(0.05)
        listed = statuses(url)
        assert brief(listed) == step["expect_status_json"], step["name"]
        if expected := step.get("error_message_contains"):
            assert expected in listed[0]["status"]["error_message"]
        check_answers_from(url, next(entry["version"] for entry in listed if entry["state"] == "AVAILABLE"))


def check_answers_from(url: str, version: str) -> None:
    metadata = httpx.get(f"{url}/v1/models/half_plus_two/metadata", timeout=10).json()
    assert metadata["model_spec"]["version"] == version
    response = httpx.post(f"{url}/v1/models/half_plus_two:predict", json={"instances": [2.0]}, timeout=10)
    assert response.json() == {"predictions": [3.0]}
