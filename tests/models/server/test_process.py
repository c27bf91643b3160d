"""The process as a whole: swaps under load, a new config, its beginning and its end."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc, prediction_service_pb2_grpc

from models.server.__main__ import main
from models.server.errors import ServingError
from models.server.monitoring import DEFAULT_PATH, metrics_path
from models.server.testing import ServerProcess
from tests.patience import patience

pytestmark = pytest.mark.keras

X = np.array([[1, 0]], dtype=np.float32)
URL = "/v1/models/m:predict"
BODY = '{"signature_name": "one", "instances": [[1, 0]]}'


class Load:
    """Requests without a pause over REST and gRPC; answers as (when, version or error)."""

    def __init__(self, server: ServerProcess, request: Any) -> None:
        self.answers: queue.Queue[tuple[str, float | str]] = queue.Queue()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=("REST", lambda: self._rest(server))),
            threading.Thread(target=self._run, args=("gRPC", lambda: self._grpc(server, request))),
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def taken(self) -> list[tuple[str, float | str]]:
        """The answers since the last look."""
        return [self.answers.get() for _ in range(self.answers.qsize())]

    def _run(self, protocol: str, request: Callable[[], Iterator[float]]) -> None:
        try:
            for score in request():
                self.answers.put((protocol, score - 2))
        except (httpx.HTTPError, grpc.RpcError) as error:
            self.answers.put((protocol, f"{type(error).__name__}: {error}"))

    def _rest(self, server: ServerProcess) -> Iterator[float]:
        with httpx.Client(base_url=server.url, timeout=10) as client:
            while not self._stop.is_set():
                response = client.post(URL, content=BODY)
                response.raise_for_status()
                yield response.json()["predictions"][0]

    def _grpc(self, server: ServerProcess, request: Any) -> Iterator[float]:
        with grpc.insecure_channel(server.target) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not self._stop.is_set():
                yield stub.Predict(request, timeout=10).outputs["score"].float_val[0]


@pytest.fixture(scope="module")
def served(library: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Path]]:
    """A server of ``m``, whose config file it reads every second; and the folder with both."""
    folder = tmp_path_factory.mktemp("process")
    library.put(library.linear(1), folder / "m")
    config = folder / "models.config"
    config.write_text(f"model_config_list {{ {library.entry('m', folder / 'm')} }}")
    with ServerProcess(f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1") as server:
        yield server, folder


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + patience(seconds)
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def versions(server: ServerProcess, name: str) -> dict[str, str]:
    listed = httpx.get(f"{server.url}/v1/models/{name}", timeout=10).json().get("model_version_status", [])
    return {entry["version"]: entry["state"] for entry in listed}


def serves(server: ServerProcess, version: str) -> bool:
    return versions(server, "m").get(version) == "AVAILABLE"


def test_swaps_under_load_fail_nobody(served: tuple[ServerProcess, Path], library: Any) -> None:
    server, folder = served
    with Load(server, library.request("m", "one", x=X)) as load:
        wait_until(lambda: load.answers.qsize() > 50)
        for version in (2, 3):
            library.put(library.linear(version), folder / "m")
            wait_until(partial(serves, server, str(version)))
        seen = load.answers.qsize()
        wait_until(lambda: load.answers.qsize() > seen + 100)
    answers = load.taken()
    for protocol in ("REST", "gRPC"):
        scores = [answer for kind, answer in answers if kind == protocol]
        assert set(scores) == {1.0, 2.0, 3.0}
        assert scores == sorted(scores)


def test_a_changed_config_file_is_served(served: tuple[ServerProcess, Path], library: Any) -> None:
    server, folder = served
    config = folder / "models.config"
    config.write_text("model_config_list {")
    wait_until(lambda: "is no ModelServerConfig" in server.log)
    assert versions(server, "m")["3"] == "AVAILABLE"
    config.write_text(
        f"model_config_list {{ {library.entry('m', folder / 'm')} {library.entry('again', folder / 'm')} }}"
    )
    wait_until(lambda: versions(server, "again") == {"3": "AVAILABLE"})


def test_a_config_over_grpc(served: tuple[ServerProcess, Path], library: Any) -> None:
    server, folder = served
    request = model_management_pb2.ReloadConfigRequest()
    for name in ("m", "third"):
        request.config.model_config_list.config.add(name=name, base_path=str(folder / "m"), model_platform="tensorflow")
    with grpc.insecure_channel(server.target) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        assert stub.HandleReloadConfigRequest(request, timeout=20).status.error_code == 0
        assert versions(server, "third") == {"3": "AVAILABLE"}
        request.config.model_config_list.config[0].base_path = "relative"
        with pytest.raises(grpc.RpcError) as caught:
            stub.HandleReloadConfigRequest(request, timeout=20)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_request_that_has_not_arrived_does_not_hold_up_the_end(
    served: tuple[ServerProcess, Path], library: Any
) -> None:
    """SIGTERM under load: what was accepted is answered, then the door is closed, and the exit code is 0."""
    server, _ = served
    with socket.create_connection(("127.0.0.1", server.rest_port)) as half:
        half.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
        with Load(server, library.request("m", "one", x=X)) as load:
            wait_until(lambda: load.answers.qsize() > 50)
            began = time.monotonic()
            assert server.stop(60) == 0
            assert time.monotonic() - began < 25  # a body may take 30 s to arrive
    last = dict(load.taken())
    assert isinstance(last["REST"], str)
    assert "500" not in last["REST"]
    assert isinstance(last["gRPC"], str)
    # A call that comes while the door is being closed is told either.
    assert "StatusCode.UNAVAILABLE" in last["gRPC"] or "StatusCode.CANCELLED" in last["gRPC"]
    assert "Traceback" not in server.log


def test_where_the_figures_are_and_who_may_read_answers(tmp_path: Path, library: Any) -> None:
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text('prometheus_config { enable: true, path: "/figures" }')
    library.put(library.linear(1), tmp_path / "m")
    more = (f"--monitoring_config_file={monitoring}", "--rest_api_enable_cors_support=true", "--enable_batching")
    with ServerProcess("--model_name=m", f"--model_base_path={tmp_path}/m", *more) as server:
        assert httpx.get(f"{server.url}/figures", timeout=10).status_code == 200
        assert httpx.get(f"{server.url}/monitoring/prometheus/metrics", timeout=10).status_code == 404
        for answer in (
            httpx.post(server.url + URL, content=BODY, timeout=10),
            httpx.post(server.url + URL, content="{", timeout=10),
            httpx.options(server.url + URL, headers={"Origin": "https://x"}, timeout=10),
        ):
            assert answer.headers["access-control-allow-origin"] == "*"


def test_an_address_of_ipv6(tmp_path: Path, library: Any) -> None:
    library.put(library.linear(1), tmp_path / "m")
    with ServerProcess("--model_name=m", f"--model_base_path={tmp_path}/m", host="::1") as server:
        assert httpx.post(server.url + URL, content=BODY, timeout=10).json() == {"predictions": [3.0]}
        with grpc.insecure_channel(server.target) as channel:
            answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(
                library.request("m", "one", x=X), timeout=10
            )
        assert list(answer.outputs["score"].float_val) == [3.0]
        assert f"gRPC on [::1]:{server.grpc_port} and REST on http://[::1]:{server.rest_port}" in server.log


def test_figures_switched_off(tmp_path: Path) -> None:
    file = tmp_path / "monitoring.config"
    for text, path in (
        ("", ""),
        ("prometheus_config { path: '/x' }", ""),
        ("prometheus_config { enable: true }", DEFAULT_PATH),
    ):
        file.write_text(text)
        assert metrics_path(file) == path
    assert metrics_path(None) == DEFAULT_PATH
    file.write_text("prometheus_config { enabled: true }")
    with pytest.raises(ServingError, match="is no MonitoringConfig"):
        metrics_path(file)


def test_a_port_that_is_taken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main([f"--model_base_path={tmp_path}", "--port=0", f"--rest_api_port={port}"]) == 1
    assert (
        f"error: can't listen on 127.0.0.1:{port} (--rest_api_port): Address already in use" in capfd.readouterr().err
    )


def test_a_config_that_can_not_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"--model_config_file={tmp_path}/none"]) == 1
    assert "can't read the model config file" in capfd.readouterr().err.splitlines()[-1]
