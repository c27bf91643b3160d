"""Which versions the model server is told to load."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.home.paths import Home
from infra.services.model_server_config import ServingConfig, versions_to_load
from infra.system.processes import free_ports
from models.registry import change_labels
from models.server import config
from models.server.version_policy import Latest, Specific


class Api(ThreadingHTTPServer):
    """Answers /readyz; not all is well."""

    ranking: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()
    refuses: bool = False
    """Whether it has too many requests to answer any."""


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Api)
        self.send_response(503)
        self.end_headers()
        state = {"ready": False, "dependencies": {}, "models": self.server.ranking, "labelled": self.server.labelled}
        refusal = {"title": "Service Unavailable", "status": 503, "detail": "too many requests are in progress"}
        self.wfile.write(json.dumps(refusal if self.server.refuses else state).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    with Api(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home").make()
    for name, versions in {"fusion": (1, 2, 3, 4), "mine": (7,), ".staging": (1,)}.items():
        for version in versions:
            (home.models / name / str(version)).mkdir(parents=True)
    return home


def policies(serving: ServingConfig) -> dict[str, object]:
    serving.write()
    return {name: model.policy for name, model in config.read_file(serving.path).items()}


@pytest.mark.parametrize(
    ("available", "ranking", "loaded"),
    [
        ([1, 2, 3], None, [2, 3]),
        ([1, 2, 3], {"a": 3}, [2, 3]),
        ([1, 2, 3, 4], {"a": 1}, [1, 3, 4]),
        ([1, 2], {"a": 3}, [1, 2]),
        ([1, 2, 3, 4, 5, 6], {}, [2, 3, 4, 5, 6]),
        ([], {"a": 1}, []),
    ],
)
def test_versions(available: list[int], ranking: dict[str, int] | None, loaded: list[int]) -> None:
    assert versions_to_load(available, ranking, "a") == loaded


def test_what_ranks_stays_loaded_whatever_comes_after_it(home: Home, api: Api) -> None:
    serving = ServingConfig(home, lambda: [f"http://127.0.0.1:{api.server_port}"])
    api.ranking = ("fusion/1", "mine/7")
    assert policies(serving) == {
        "fusion": Specific(frozenset({1, 3, 4})),
        "mine": Specific(frozenset({7})),
        "neuralcf": Latest(1),
        "recmodel": Latest(1),
        "widedeep": Latest(1),
    }
    (home.models / "fusion" / "5").mkdir()
    assert policies(serving)["fusion"] == Specific(frozenset({1, 4, 5}))
    api.ranking = ("fusion/5", "mine/7")
    assert policies(serving)["fusion"] == Specific(frozenset({4, 5}))


def test_an_api_with_too_many_requests_to_answer_changes_nothing(home: Home, api: Api) -> None:
    api.refuses = True
    serving = ServingConfig(home, lambda: [f"http://127.0.0.1:{api.server_port}"])
    assert policies(serving)["fusion"] == Specific(frozenset({3, 4})), "nobody has said yet what ranks"
    api.refuses, api.ranking = False, ("fusion/1", "mine/7")
    ranks = policies(serving)
    api.refuses = True
    assert policies(serving) == ranks


def test_versions_with_a_label_are_loaded_and_named_once_the_api_has_checked_them(home: Home, api: Api) -> None:
    change_labels(home.models, "fusion", lambda found: found.decided(1, "begun", stable=3, last_good=1, candidate=4))
    serving = ServingConfig(home, lambda: [f"http://127.0.0.1:{api.server_port}"])
    api.ranking = ("fusion/3", "mine/7")
    assert policies(serving)["fusion"] == Specific(frozenset({1, 3, 4}))
    assert config.read_file(serving.path)["fusion"].labels == {"stable": 3}
    api.labelled = ("fusion/1", "fusion/4")
    policies(serving)
    assert config.read_file(serving.path)["fusion"].labels == {"stable": 3, "last-good": 1, "candidate": 4}


def test_a_folder_that_vanishes_changes_nothing(home: Home) -> None:
    nobody = free_ports(1)[0]
    serving = ServingConfig(home, lambda: [f"http://127.0.0.1:{nobody}"])
    before = policies(serving)
    assert before["fusion"] == Specific(frozenset({3, 4}))
    (home.models / "fusion").rename(home.path / "fusion")
    assert policies(serving) == before
    home.models.rename(home.path / "models-aside")
    assert policies(serving) == before
