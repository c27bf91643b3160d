"""Ranking in the API's process: which graphs are used, which are not and why, and what happens when one fails."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.model_inputs import layout
from models.registry import (
    MANIFEST,
    Golden,
    Manifest,
    ModelInput,
    encode_manifest,
    folder_digests,
    list_versions,
    publish,
    read_manifest,
    version_folder,
)
from online.model_client.in_process import LocalSessions, load
from online.model_client.live_models import LiveModels
from online.model_client.transport import Inputs, VersionWithdrawn
from online.ranking.features import RawFeatures
from online.ranking.ranker import Models, Ranker
from online.support import metrics
from tests.models.fake_version import a_manifest, a_staged_version, publish_one
from tests.patience import patience
from tests.schemas import MOVIES

GRAPH = "assets.extra/in_process.onnx"
INPUTS = (ModelInput("userId", "int64", shared=True), ModelInput("cross", "float32", 2))
LOGITS = (0.0, log(3))
"""Of the users 0 and 1: scores of .5 and .75 where cross is 0."""
GOLDEN = (Golden({"userId": 1, "cross": [0.0, 0.0]}, [0.75]), Golden({"userId": 0, "cross": [1.0, 1.0]}, [0.5]))


def graph(logits: tuple[float, ...] = LOGITS, width: int = 0) -> bytes:
    """sigmoid(logits[userId] + first of cross − second of cross), of one user and n candidates, with `width` squared products a
    row that change nothing. A user beyond the logits is an error of the runtime."""
    constants = {"logits": np.array(logits, np.float32), "weights": np.array([[1.0], [-1.0]], np.float32)}
    nodes = [
        helper.make_node("Gather", ["logits", "userId"], ["of_user"]),
        helper.make_node("MatMul", ["cross", "weights"], ["of_item"]),
        helper.make_node("Add", ["of_item", "of_user"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    last = "probability"
    if width:
        constants |= {"wide": np.zeros((2, width), np.float32), "square": np.zeros((width, width), np.float32)}
        constants |= {"narrow": np.zeros((width, 1), np.float32)}
        nodes += [
            helper.make_node("MatMul", ["cross", "wide"], ["first"]),
            helper.make_node("MatMul", ["first", "square"], ["second"]),
            helper.make_node("MatMul", ["second", "narrow"], ["nothing"]),
            helper.make_node("Add", ["probability", "nothing"], ["same"]),
        ]
        last = "same"
    nodes.append(helper.make_node("Identity", [last], ["score"]))
    made = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("userId", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("cross", TensorProto.FLOAT, ["n", 2]),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString())


def publish_graph(models: Path, content: bytes) -> int:
    """Publish a version with this ONNX graph; returns its number."""
    folder = a_staged_version(models)
    (folder / GRAPH).parent.mkdir()
    (folder / GRAPH).write_bytes(content)
    manifest = a_manifest(inputs=INPUTS, golden=GOLDEN, onnx=GRAPH, digests=folder_digests(folder))
    (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    return publish(folder, models, "toy")


def first_manifest(models: Path) -> Manifest:
    return read_manifest(version_folder(models, "toy", 1))


class ModelServer:
    """Serves the versions on disk, gives golden scores, and .25 to each candidate of a list."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self.lists = 0

    async def check(self, name: str, version: int, inputs: Inputs, count: int, timeout: float) -> Any:
        if version not in list_versions(self._models, name):
            raise VersionWithdrawn(f"no version {version}")
        return np.array([row.scores[0] for row in GOLDEN][:count], np.float32)

    async def scores(self, name: str, version: int, inputs: Inputs, count: int, timeout: float) -> Any:
        self.lists += 1
        return np.full(count, 0.25, np.float32)


class Scene:
    """Live models of a folder and their server. ranking: whether they are to rank in the process, may be changed."""

    def __init__(self, models: Path) -> None:
        self.ranking = True
        self.server = ModelServer(models)
        client: Any = self.server
        self.models = LiveModels(models, client, MOVIES.digest, lambda: self.ranking)
        self._ranker = Ranker(self.models, client)

    def held(self) -> list[int]:
        """Versions of the model that have a session."""
        return [version for version in range(10) if self.models.sessions.holds("toy", version)]

    async def rank(self, user_id: int = 1) -> list[float]:
        """Scores of two candidates, the second of which has more of what counts."""

        def under(vocabulary: Vocabulary) -> RawFeatures:
            cross = np.array([[0.5, 1.5], [1.5, 1.5]], np.float32)  # the means, and one more
            digest = layout(vocabulary, MOVIES.digest)
            return RawFeatures(digest, np.zeros((1, 1), np.float32), np.zeros((2, 0), np.float32), cross)

        live = self.models.get("toy")
        assert live is not None
        scored = await self._ranker.rank(Models(live), user_id, np.array([7, 8]), under, 1.0)
        return [float(each) for each in scored.scores]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    def play(scene: Callable[[Scene], Awaitable[None]]) -> None:
        async def run() -> None:
            await scene(Scene(tmp_path))

        asyncio.run(run())

    return play


def gauge() -> float | None:
    return metrics.REGISTRY.get_sample_value("martlet_model_in_process", {"model": "toy"})


def failures() -> float:
    return metrics.REGISTRY.get_sample_value("martlet_in_process_failed_total", {"model": "toy"}) or 0.0


def test_a_version_with_a_graph_ranks_without_the_model_server(play: Any, tmp_path: Path) -> None:
    async def scene(there: Scene) -> None:
        publish_graph(tmp_path, graph())
        await there.models.poll()
        assert await there.rank(user_id=1) == pytest.approx([0.75, 3 * np.e / (1 + 3 * np.e)], abs=1e-6)
        assert await there.rank(user_id=0) == pytest.approx([0.5, np.e / (1 + np.e)], abs=1e-6)
        assert there.server.lists == 0
        assert gauge() == 1

    play(scene)


def test_the_choice_holds_from_the_next_poll_on(play: Any, tmp_path: Path) -> None:
    async def scene(there: Scene) -> None:
        there.ranking = False
        publish_graph(tmp_path, graph())
        for ranking, held in ((False, []), (True, [1]), (False, [])):
            there.ranking = ranking
            await there.models.poll()
            assert there.held() == held
            assert gauge() == len(held)
            assert (await there.rank() == [0.25, 0.25]) == (not ranking)
        assert there.models.sessions.reasons == {}

    play(scene)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it has no ONNX graph"),
        (b"nothing of the kind", "in_process.onnx: .*Protobuf parsing failed"),
        (graph((0.0, log(3) + 0.01)), r"golden scores differ by 0\.0019, expected at most 0\.001"),
        (graph((0.0,)), r"in_process\.onnx: .*out of data bounds"),
        (graph((0.0, float("nan"))), "expected 1 finite scores"),
        (graph(width=1600), r"500 candidates take \d+\.\d ms at best, expected at most 1\.0"),
    ],
    ids=["none", "not ONNX", "other scores", "an error", "not finite", "slow"],
)
def test_a_version_whose_graph_is_not_good_ranks_by_the_model_server_and_says_why(
    play: Any, tmp_path: Path, content: bytes | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(there: Scene) -> None:
        if content is None:
            publish_one(tmp_path, inputs=INPUTS, golden=GOLDEN)
        else:
            publish_graph(tmp_path, content)
        await there.models.poll()
        await there.models.poll()
        assert await there.rank() == [0.25, 0.25]
        assert gauge() == 0
        assert re.search(reason, there.models.sessions.reasons["toy", 1])
        assert [line.levelname for line in caplog.records if "ranks by the model server" in line.message] == ["WARNING"]

    play(scene)


def test_a_list_that_a_session_fails_is_ranked_by_the_model_server_and_counted(
    play: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(there: Scene) -> None:
        publish_graph(tmp_path, graph())
        await there.models.poll()
        before = failures()
        assert [await there.rank(user_id=9) for _ in range(2)] == [[0.25, 0.25]] * 2
        assert (there.server.lists, failures() - before) == (2, 2)
        assert await there.rank(user_id=0) != [0.25, 0.25]
        assert there.server.lists == 2
        assert sum("failed in this process" in line.message for line in caplog.records) == 1

    play(scene)


def test_the_live_version_and_the_one_before_have_sessions_and_no_others(play: Any, tmp_path: Path) -> None:
    async def scene(there: Scene) -> None:
        for held in ([1], [1, 2], [2, 3], [3, 4]):
            publish_graph(tmp_path, graph())
            await there.models.poll()
            assert there.held() == held
        shutil.rmtree(tmp_path / "toy")
        await there.models.poll()
        assert there.held() == []
        assert gauge() is None

    play(scene)


def test_a_graph_that_was_not_used_is_looked_at_again_after_a_while(tmp_path: Path) -> None:
    async def scene() -> None:
        publish_graph(tmp_path, graph((0.0, 0.0)))
        manifest = first_manifest(tmp_path)
        patient, eager = LocalSessions(tmp_path, retry=3600), LocalSessions(tmp_path, retry=0)
        for each in (patient, eager):
            await each.keep([manifest])
            assert not each.holds("toy", 1)
        (version_folder(tmp_path, "toy", 1) / GRAPH).write_bytes(graph())
        for each in (patient, eager):
            await each.keep([manifest])
        assert (patient.holds("toy", 1), eager.holds("toy", 1)) == (False, True)
        assert (len(patient.reasons), eager.reasons) == (1, {})

    asyncio.run(scene())


def test_a_graph_is_loaded_off_the_event_loop(tmp_path: Path) -> None:
    """While a slow one is looked at, the loop goes on."""

    async def scene() -> None:
        publish_graph(tmp_path, graph(width=1600))
        sessions, steps = LocalSessions(tmp_path), 0
        loading = asyncio.create_task(sessions.keep([first_manifest(tmp_path)]))
        while not loading.done():
            await asyncio.sleep(0.001)
            steps += 1
        assert steps > 5

    asyncio.run(scene())


def test_an_api_that_ranks_by_the_model_server_does_not_import_the_runtime() -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; import online.app; "
        "from online.model_client.in_process import LocalSessions; "
        "asyncio.run(LocalSessions(Path('nowhere')).keep([])); assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=patience(60))


def test_one_thread_computes_and_none_spins(tmp_path: Path) -> None:
    """A session adds no thread to the process."""
    publish_graph(tmp_path, graph())
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        pytest.skip("the system does not list threads")
    sessions = [load(tmp_path, first_manifest(tmp_path))]
    before = len(list(threads.iterdir()))
    sessions += [load(tmp_path, first_manifest(tmp_path)) for _ in range(3)]
    assert len(list(threads.iterdir())) == before
