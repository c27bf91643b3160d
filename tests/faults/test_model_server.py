"""Faults of the model server and of what it serves (rows 10 to 12), as users of the API see them."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest

from benchmarks.faults.suspended import suspended
from models.registry import MANIFEST, encode_manifest, folder_digests, read_manifest
from tests.faults.proxy import Proxy
from tests.home import Martlet, until
from tests.patience import patience
from tests.services import api_with, kill, ready

pytestmark = pytest.mark.home

MODEL = "widedeep"
LATE_S = patience(2.0)
"""Beyond the deadline of a list: on a small machine that is busy with other tests."""
PATIENT_MS = 10_000
"""A list's deadline where none may be without a model: the fault is to cost it, not the machine's other work."""
NO_MODEL = "no model"


PAUSE_S = 0.02
"""Between two lists: without it one caller and the lists that it gets take a core, which Kafka and Flink need, too."""
Answer = tuple[float, float, int, dict[str, Any]]
"""When a list was asked for, the seconds that it took, its status, and what it says."""


class Asking:
    """Asks for one list after the other until the context ends; every answer must be a 200 in good time, which it checks then.

    late: seconds after which a list is late.
    """

    def __init__(self, martlet: Martlet, late: float = LATE_S) -> None:
        self._http, self._late = martlet.http, late
        self._done = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._ask, self._look)]
        self._idle: list[tuple[float, float]] = []
        """When a request without any work began, and the seconds that it took, beside the lists: so slow is the machine."""
        self.answers: list[Answer] = []

    def _ask(self) -> None:
        while not self._done.wait(PAUSE_S):
            began = time.monotonic()
            answer = self._http.get("/v1/recommendations", params={"user_id": 6, "model": MODEL, "size": 5})
            body = answer.json() if answer.status_code == 200 else {"error": answer.text}
            self.answers.append((began, time.monotonic() - began, answer.status_code, body))

    def _look(self) -> None:
        while not self._done.wait(PAUSE_S):
            began = time.monotonic()
            self._http.get("/healthz")
            self._idle.append((began, time.monotonic() - began))

    def __enter__(self) -> "Asking":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        for each in self._threads:
            each.join(30)
            assert not each.is_alive()
        assert [body for _, _, status, body in self.answers if status != 200] == []
        assert all(len(body["items"]) == 5 for *_, body in self.answers)
        slowest = max((seconds for _, seconds in self._idle), default=0.0)
        assert max(seconds for _, seconds, _, _ in self.answers) < self._late + slowest

    def since(self, when: float) -> list[Answer]:
        return [answer for answer in self.answers if answer[0] >= when]

    def slowness(self, answers: Sequence[Answer]) -> float:
        """The median of the seconds that a request without any work took while these lists were asked for."""
        first, last = answers[0][0], answers[-1][0] + answers[-1][1]
        return median(seconds for began, seconds in self._idle if began <= last and began + seconds >= first)

    @property
    def last(self) -> int | None:
        """The version that ranked the newest list; None is no model, or no list yet."""
        return version_of(self.answers[-1][3]) if self.answers else None

    def ranked_by(self) -> Counter[int | None]:
        """How many lists each version ranked; None is no model."""
        return Counter(version_of(body) for *_, body in self.answers)


def version_of(body: dict[str, Any]) -> int | None:
    return None if NO_MODEL in body["degraded"] else body["model_version"]


@pytest.fixture(scope="module")
def proxy(martlet: Martlet) -> Iterator[Proxy]:
    """Stands between the API and the model server, by gRPC."""
    with Proxy() as between, ranking_by(martlet, f"127.0.0.1:{between.port}", between, "model_grpc"):
        yield between


@pytest.fixture(scope="module")
def patient(martlet: Martlet, proxy: Proxy) -> Iterator[Martlet]:
    """The home, whose API takes its time for a list."""
    with api_with(martlet, deadline_ms=PATIENT_MS):
        yield martlet


@contextmanager
def ranking_by(martlet: Martlet, address: str, proxy: Proxy, port: str) -> Iterator[None]:
    """The API, started again, with another address of the model server, behind which is this port of it."""
    target = proxy.target
    proxy.target = martlet.status()["ports"][port]
    with api_with(martlet, model_server=address):
        try:
            yield
        finally:  # before the API is started as it was, which may ask through the same proxy
            proxy.target = target


def ranks(martlet: Martlet) -> bool:
    return version_of(martlet.recommend(6, model=MODEL)) is not None


@contextmanager
def stopped(martlet: Martlet, proxy: Proxy) -> Iterator[None]:
    pid = martlet.status()["services"]["model-server"]["pid"]
    with suspended(pid):
        yield


@contextmanager
def dripping(martlet: Martlet, proxy: Proxy) -> Iterator[None]:
    before = proxy.dripped
    proxy.become("drip")
    try:
        yield
        assert proxy.dripped > before, "nothing dripped"
    finally:
        proxy.become("pass")


@contextmanager
def cut_off(martlet: Martlet, proxy: Proxy) -> Iterator[None]:
    proxy.become("reset")
    try:
        yield
    finally:
        proxy.become("pass")


@pytest.mark.parametrize(
    "fault", [stopped, pytest.param(dripping, marks=pytest.mark.soak), pytest.param(cut_off, marks=pytest.mark.soak)]
)
def test_a_model_server_that_gives_no_answer(martlet: Martlet, proxy: Proxy, fault: Any) -> None:
    """Row 10: lists without a model, few calls, back by itself."""
    until(lambda: ranks(martlet), 60, "a model ranks")
    with Asking(martlet) as asking:
        until(lambda: len(asking.answers) >= 20, 30, "twenty lists")
        a_call = proxy.sent / len(asking.answers)
        before = len(asking.answers)
        with fault(martlet, proxy):
            began = time.monotonic()
            until(lambda: asking.last is None, 10, "a list without a model")
            until(lambda: not martlet.http.get("/readyz").json()["dependencies"]["models"], 10, "/readyz names it")
            sent, counted = proxy.sent, time.monotonic()
            time.sleep(3)
            calls, seconds = (proxy.sent - sent) / a_call, time.monotonic() - counted
            during = asking.since(began + 0.5)
        until(lambda: asking.last, 60, "a model ranks again")
        healed = len(asking.answers)
        until(lambda: len(asking.answers) >= healed + 20, 30, "twenty lists")
    assert {version_of(body) for *_, body in during} == {None}
    assert calls <= 4 * seconds, "a retry storm"
    # While the breaker is open nobody waits for the model server: most lists come as fast as before, or as afterwards, but for
    # what a machine that others have made slower meanwhile takes for a request without any work, too.
    parts = asking.answers[:before], asking.answers[healed:]
    slower = max(1.0, asking.slowness(during) / max(map(asking.slowness, parts)))
    around = [median(took for _, took, _, _ in part) for part in parts]
    assert median(took for _, took, _, _ in during) <= 3 * slower * max(around)


def test_ranking_over_rest_and_a_model_server_that_stops(martlet: Martlet, proxy: Proxy) -> None:
    """The other protocol: the same lists, the same ladder."""
    first = martlet.recommend(6, model=MODEL)
    with ranking_by(martlet, f"http://127.0.0.1:{proxy.port}", proxy, "model_rest"):
        until(lambda: not martlet.recommend(6, model=MODEL)["degraded"], 30, "a whole list over REST")
        assert martlet.recommend(6, model=MODEL)["model_version"] == first["model_version"]
        for fault in (dripping, stopped):
            with Asking(martlet) as asking:
                with fault(martlet, proxy):
                    until(lambda: asking.ranked_by()[None] > 20, 20, "lists without a model")
                until(lambda: asking.last, 60, "a model ranks again")


def cut_file(version: Path) -> None:
    model = version / "saved_model.pb"
    model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])


def no_variables(version: Path) -> None:
    shutil.rmtree(version / "variables")


def half_copied(version: Path) -> None:
    (version / MANIFEST).unlink()
    no_variables(version)


def no_numbers(version: Path) -> None:
    another_model(version, read_inputs(version))


def wrong_inputs(version: Path) -> None:
    another_model(version, {"somethingElse": ("float32", 1)})


def read_inputs(version: Path) -> dict[str, tuple[str, int]]:
    return {each.name: (each.dtype, each.width) for each in read_manifest(version).inputs}


def another_model(version: Path, inputs: dict[str, tuple[str, int]]) -> None:
    """In the place of the version's own: it loads, and all that it says is NaN."""
    import tensorflow as tf

    specs = [tf.TensorSpec([None, width] if width else [None], dtype, name) for name, (dtype, width) in inputs.items()]
    weights = tf.Variable(float("nan"))

    def score(*columns: Any) -> dict[str, Any]:
        return {"score": weights + tf.zeros([tf.shape(columns[0])[0], 1])}

    manifest = read_manifest(version)
    for name in ("variables", "assets", "assets.extra"):
        shutil.rmtree(version / name, ignore_errors=True)
    module = tf.Module()
    module.weights, module.score = weights, tf.function(score, input_signature=specs)
    tf.saved_model.save(module, str(version), signatures={"serving_default": module.score})
    whole = msgspec.structs.replace(manifest, digests=folder_digests(version))
    (version / MANIFEST).write_bytes(encode_manifest(whole))


BAD: dict[Callable[[Path], None], str] = {
    cut_file: "Servable not found",
    no_numbers: "not finite",
    no_variables: "Servable not found",
    wrong_inputs: "input size does not match signature",
    half_copied: "manifest.json can't be read",
}
"""What is wrong with a version, and what is said of it."""


@pytest.fixture
def base(martlet: Martlet) -> Iterator[Path]:
    """Where the model's versions lie; what comes beside the first is taken away again."""
    folder = martlet.home / "models" / MODEL
    before = {path.name for path in folder.iterdir()}
    yield folder
    for path in folder.iterdir():
        if path.name.isdecimal() and path.name not in before:
            shutil.rmtree(path)
    until(lambda: not refused(martlet), 30, "nothing is refused any more")


def refused(martlet: Martlet) -> dict[int, str]:
    listed = martlet.http.get("/v1/models").json()["refused"]
    return {each["version"]: each["reason"] for each in listed if each["name"] == MODEL}


def copied(martlet: Martlet, base: Path, first: int, number: int) -> Path:
    """A copy of the first version, numbered, aside; one rename brings it to the others."""
    aside = martlet.home / "models" / ".staging" / f"{MODEL}-{number}"
    shutil.copytree(base / str(first), aside)
    numbered = msgspec.structs.replace(read_manifest(base / str(first)), version=number)
    (aside / MANIFEST).write_bytes(encode_manifest(numbered))
    return aside


def look_again(martlet: Martlet, base: Path, first: int, number: int) -> None:
    """Wait until model server and API have looked at the folder once more: they name a bad version that comes only now."""
    aside = copied(martlet, base, first, number)
    cut_file(aside)
    aside.rename(base / str(number))
    until(lambda: BAD[cut_file] in refused(martlet).get(number, ""), 30, f"version {number} is looked at")


def misses(martlet: Martlet) -> int:
    """How often the model server has found the model's folder gone, which its log tells once each time."""
    log = (martlet.home / "logs" / "model-server.log").read_text(errors="replace")
    return log.count(f"model {MODEL}: can't read its base path")


@pytest.mark.soak
def test_bad_versions_never_rank_and_are_named(patient: Martlet, base: Path) -> None:
    """Row 11: one kind after another, and none of them goes away; then the model server is killed, too."""
    first = int(patient.recommend(6, model=MODEL)["model_version"])
    bad = {}
    for number, spoil in enumerate(BAD, start=first + 1):
        bad[number] = copied(patient, base, first, number)
        spoil(bad[number])
    said = dict(zip(bad, BAD.values(), strict=True))
    with Asking(patient, PATIENT_MS / 1000 + LATE_S) as asking:
        for number, aside in bad.items():
            aside.rename(base / str(number))
            until(lambda: said[number] in refused(patient).get(number, ""), 30, f"{said[number]}: {number}")  # noqa: B023
        look_again(patient, base, first, max(bad) + 1)
    assert set(asking.ranked_by()) == {first}
    named: set[int] = set()

    def all_named() -> bool:
        """On a busy machine an answer may be late, and then says less; each version is tried again now and then."""
        reasons = refused(patient)
        named.update(number for number, reason in said.items() if reason in reasons.get(number, ""))
        return named == said.keys()

    until(all_named, 90, "each is named")
    status = " ".join(patient.command("status").stdout.split())
    assert f"refused: {MODEL} version " in status
    with Asking(patient, PATIENT_MS / 1000 + LATE_S) as asking:
        kill(patient, "model-server")
        until(lambda: asking.ranked_by()[None], 30, "a list without a model")
        until(lambda: asking.last, 90, "a model ranks again")
    assert set(asking.ranked_by()) <= {first, None}


@pytest.mark.parametrize("where", ["its folder", pytest.param("all of them", marks=pytest.mark.soak)])
def test_a_folder_of_models_that_vanishes_for_a_while(patient: Martlet, base: Path, where: str) -> None:
    """Row 12: what is loaded goes on. A bad version tells when the API has looked: it is named only where it is on disk."""
    folder = base if where == "its folder" else base.parent
    version = int(patient.recommend(6, model=MODEL)["model_version"])
    bad = version + 1
    look_again(patient, base, version, bad)
    missed = misses(patient)
    with Asking(patient, PATIENT_MS / 1000 + LATE_S) as asking:
        aside = folder.rename(patient.home / "vanished")
        try:
            until(lambda: misses(patient) > missed, 30, "the model server looks for it in vain")
            until(lambda: bad not in refused(patient), 30, "the API looks for it in vain")
        finally:
            aside.rename(folder)
        until(lambda: ready(patient), 60, "all is ready")
        look_again(patient, base, version, bad + 1)
    assert set(asking.ranked_by()) == {version}


@pytest.mark.soak
def test_a_vanished_model_is_let_go_of_once_the_server_has_lost_it(martlet: Martlet) -> None:
    """Row 12: nobody goes on asking a server that was started again for what it can't have."""

    def asked() -> int:
        return martlet.http.get("/v1/recommendations", params={"user_id": 6, "model": MODEL}).status_code

    folder = martlet.home / "models" / MODEL
    aside = folder.rename(martlet.home / "vanished")
    try:
        kill(martlet, "model-server")
        until(lambda: asked() == 404, 90, "no such model")
        until(lambda: not martlet.recommend(6)["degraded"], 30, "the others rank")
    finally:
        aside.rename(folder)
    until(lambda: asked() == 200, 30, "it is there again")
    until(lambda: ready(martlet), 60, "all is ready")


@pytest.mark.soak
def test_a_version_that_is_taken_away_by_hand(patient: Martlet, base: Path) -> None:
    """Row 12: a rollback without the command; the one before ranks again within the time of a look or two."""
    first = int(patient.recommend(6, model=MODEL)["model_version"])
    aside = copied(patient, base, first, first + 1)
    with Asking(patient, PATIENT_MS / 1000 + LATE_S) as asking:
        aside.rename(base / str(first + 1))
        until(lambda: asking.last == first + 1, 30, "the new one ranks")
        shutil.rmtree(base / str(first + 1))
        until(lambda: asking.last == first, 30, "the old one ranks")
        look_again(patient, base, first, first + 2)
    assert set(asking.ranked_by()) == {first, first + 1}
