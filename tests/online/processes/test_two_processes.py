"""Two real API processes on one port, over a real Kafka and Redis: to a caller they are one."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from features.base.reader import Base
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.keys import LOADED_KEY
from infra.services.environment import python_env
from infra.system.processes import claim_ports
from infra.system.repository import REPO
from online.access.api_keys import hashed
from tests.home import until
from tests.kafka_process import kafka_process
from tests.online.conftest import api_settings, write_base
from tests.patience import patience
from tests.redis_process import redis_process

pytestmark = pytest.mark.services

KEY, ADMIN = "the-key-of-a-shop", "the-key-of-an-operator"
SLOW_KEYS = [f"the-key-of-the-one-who-waits-{number}" for number in range(20)]
EXPERIMENT = {"name": "mix", "layer": "mix", "arms": {"a": {"share": 1.0, "policy": {"diversity": 0.3}}}}


@dataclass
class Pair:
    """Two processes on one port. own: clients of each alone."""

    folder: Path
    settings: Path
    port: int
    own_ports: list[int]
    processes: list[subprocess.Popen[bytes]]
    clients: ExitStack

    def client(self, port: int, key: str = KEY) -> httpx.Client:
        made = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=10, trust_env=False
        )
        return self.clients.enter_context(made)

    def start(self, number: int) -> subprocess.Popen[bytes]:
        options = ["--number", str(number), "--own-port", str(self.own_ports[number - 1])]
        argv = [sys.executable, "-m", "online", "--settings", str(self.settings), *options]
        with (self.folder / f"api-{number}.log").open("ab") as log:
            return subprocess.Popen(argv, cwd=REPO, env=python_env(), stdout=log, stderr=log)

    def await_ready(self, number: int) -> None:
        def ready() -> bool:
            assert self.processes[number - 1].poll() is None, (self.folder / f"api-{number}.log").read_text()[-3000:]
            try:
                parts = httpx.get(f"http://127.0.0.1:{self.own_ports[number - 1]}/readyz", timeout=5, trust_env=False)
            except httpx.TransportError:
                return False
            return all(value for name, value in parts.json()["dependencies"].items() if name != "models")

        until(ready, 180, f"process {number} is ready")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("two")
    base: Base = write_base(folder / "base" / "1")
    assert base is not None
    with kafka_process(folder / "home") as broker, redis_process(folder) as redis, ExitStack() as clients:
        redis.client.set(LOADED_KEY, 1)
        port, *own = claim_ports(3)
        reader = {"key": hashed(KEY), "role": "write"}
        limit = {"per_second": 0.01, "burst": 6}
        slow = {f"slow {key}": {"key": hashed(key), "role": "read", "limit": limit} for key in SLOW_KEYS}
        operator = {"key": hashed(ADMIN), "role": "admin"}
        (folder / "access.json").write_text(json.dumps({"keys": {"shop": reader, "boss": operator, **slow}}))
        (folder / "serving.json").write_text(json.dumps({"experiments": [EXPERIMENT]}))
        (folder / "control").mkdir()
        settings = api_settings(folder, port=port)
        settings = msgspec.structs.replace(
            settings,
            kafka=KafkaAddress(broker.bootstrap),
            redis=RedisAddress("127.0.0.1", redis.port),
            access=str(folder / "access.json"),
            serving=str(folder / "serving.json"),
            control=str(folder / "control"),
            shared=str(folder / "shared"),
        )
        (folder / "shared").mkdir()
        (folder / "api.json").write_bytes(msgspec.json.encode(settings))
        made = Pair(folder, folder / "api.json", port, own, [], clients)
        try:
            for number in (1, 2):
                made.processes.append(made.start(number))
            for number in (1, 2):
                made.await_ready(number)
            yield made
        finally:
            for process in made.processes:
                process.kill()
                process.wait(10)


@pytest.fixture
def both(pair: Pair) -> list[httpx.Client]:
    """A client of each process alone."""
    return [pair.client(port) for port in pair.own_ports]


def sample(client: httpx.Client, start: str) -> float:
    """The sum of the samples that begin so."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))


def test_an_item_that_one_has_taken_is_known_to_the_other_at_once(both: list[httpx.Client]) -> None:
    def round_of(number: int) -> list[Any]:
        writer, reader = both[number % 2], both[1 - number % 2]
        item = f"/v1/items/{900 + number}"
        assert writer.put(item, json={"title": f"New {number}"}).status_code == 200
        first = reader.get(item).json().get("title")
        assert writer.patch(item, json={"available": False}).status_code == 200
        changed = reader.patch(item, json={"title": "Other"}).status_code  # 404 from one that is behind
        answer = writer.get(item).json()
        return [first, changed, answer.get("title"), answer.get("available")]

    known, number = 0, 0
    deadline = time.monotonic() + patience(60)
    while known < 20:
        assert time.monotonic() < deadline, f"{known} of {number}"
        before = [sample(each, "martlet_catalogue_behind_total") for each in both]
        found = round_of(number)
        if [sample(each, "martlet_catalogue_behind_total") for each in both] == before:
            assert found == [f"New {number}", 200, "Other", False]  # neither change lost the other's
            known += 1
        number += 1  # a process that was behind for long on a busy machine says so, and the round does not count


def test_connections_to_the_port_reach_both(pair: Pair, both: list[httpx.Client]) -> None:
    def served() -> list[int]:
        """Requests for genres that each process has answered, as its own file says."""
        return [int(sample(each, 'martlet_requests_total{route="/v1/genres"')) for each in both]

    before = served()[0]
    for _ in range(40):
        with httpx.Client(base_url=f"http://127.0.0.1:{pair.port}", headers={"X-API-Key": KEY}, trust_env=False) as one:
            assert one.get("/v1/genres").status_code == 200
    until(lambda: served() == [before + 40] * 2, 10, "each shows what both have answered")


def test_a_limit_holds_over_both(pair: Pair) -> None:
    """Where Redis is late on a busy machine, a call is limited by its process alone: then another key has to show it."""

    def holds(key: str) -> bool:
        clients = [pair.client(port, key) for port in pair.own_ports]
        statuses = [clients[number % 2].get("/v1/genres").status_code for number in range(8)]
        return statuses == [200] * 6 + [429] * 2

    assert any(holds(key) for key in SLOW_KEYS)


def test_an_outcome_counts_once_whichever_shows_the_list_and_takes_the_act(both: list[httpx.Client]) -> None:
    one, other = both
    shown = [each.get("/v1/recommendations", params={"user_id": 7}).json() for each in both]
    acts = [
        {"type": "like", "user_id": 7, "item_id": answer["items"][0]["item_id"], "request_id": answer["request_id"]}
        for answer in shown
    ]

    def overview(client: httpx.Client) -> dict[str, Any]:
        (experiment,) = client.get("/v1/ops").json()["experiments"]
        found: dict[str, Any] = next(arm for arm in experiment["arms"] if arm["name"] == "a")
        return found

    def all_counted() -> bool:
        for client, act in ((other, acts[0]), (one, acts[1]), (one, acts[0]), (other, acts[1])):
            assert client.post("/v1/events", json=act).status_code == 202
        return all((arm["lists"], arm["acted"], arm["liked"]) == (2, 2, 2) for arm in map(overview, both))

    until(all_counted, 15, "both lists are counted")
    for _ in range(5):
        all_counted()
    assert all_counted()  # and not once more


def test_a_replay_that_one_has_taken_is_shown_by_the_other(pair: Pair, both: list[httpx.Client]) -> None:
    operator = pair.client(pair.own_ports[0], ADMIN)
    wanted = operator.post("/v1/admin/replay", json={"speed": 10}).json()["id"]
    state = {"id": wanted, "running": True, "speed": 10.0, "first": 0, "row": 3, "last": 9, "error": None}
    (pair.folder / "control" / "replay_state.json").write_text(json.dumps(state))  # as the supervisor does
    assert [each.get("/v1/ops").json()["replay"]["id"] for each in both] == [wanted] * 2


def test_a_key_is_revoked_in_both(pair: Pair, both: list[httpx.Client]) -> None:
    file = pair.folder / "access.json"
    content = json.loads(file.read_bytes())
    extra = [pair.client(port, "a-key-that-is-added") for port in pair.own_ports]
    assert [each.get("/v1/genres").status_code for each in extra] == [403, 403]
    file.write_text(json.dumps({"keys": content["keys"] | {"extra": "a-key-that-is-added"}}))
    until(lambda: [each.get("/v1/genres").status_code for each in extra] == [200, 200], 10, "both know the key")
    file.write_text(json.dumps(content))
    until(lambda: [each.get("/v1/genres").status_code for each in extra] == [403, 403], 10, "neither knows it")


def test_one_that_is_killed_takes_no_list_from_others_and_its_counts_stay(pair: Pair, both: list[httpx.Client]) -> None:
    statuses: list[int] = []
    done = threading.Event()

    def call() -> None:
        """Lists one after another, each on a connection of its own; what breaks with the process is sent again, once."""
        while not done.is_set():
            for attempt in (1, 2):
                try:
                    headers = {"X-API-Key": KEY}
                    url = f"http://127.0.0.1:{pair.port}/v1/recommendations?user_id=7"
                    statuses.append(httpx.get(url, headers=headers, timeout=10, trust_env=False).status_code)
                    break
                except httpx.TransportError:
                    assert attempt == 1

    callers = [threading.Thread(target=call) for _ in range(3)]
    for each in callers:
        each.start()
    until(lambda: len(statuses) > 20, 20, "lists are answered")
    time.sleep(1.5)  # the victim has published its counts
    before = sample(both[0], "martlet_lists_total")
    victim = pair.processes[1]
    victim.kill()
    victim.wait(10)
    count = len(statuses)
    until(lambda: len(statuses) > count + 20, 20, "lists are answered by the other")
    pair.processes[1] = pair.start(2)
    pair.await_ready(2)
    done.set()
    for each in callers:
        each.join(20)
    assert set(statuses) == {200}
    assert sample(both[1], "martlet_lists_total") >= before
    until(lambda: sample(both[0], "martlet_api_processes") == 2, 10, "both publish")


@pytest.mark.soak
def test_a_process_that_is_told_to_stop_finishes_its_requests(pair: Pair) -> None:
    client = pair.client(pair.own_ports[1])
    with client.stream("GET", "/v1/stream", params={"user_id": 7}) as stream:
        lines = stream.iter_lines()
        assert next(lines)
        os.kill(pair.processes[1].pid, signal.SIGTERM)
        for _ in lines:  # until its end
            pass
    assert pair.processes[1].wait(20) == 0
    assert pair.client(pair.port).get("/v1/genres").status_code == 200
    pair.processes[1] = pair.start(2)
    pair.await_ready(2)
