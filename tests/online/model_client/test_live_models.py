"""Live models: the version that ranks after the server has dropped one between two polls."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import Unavailable
from models.registry import MANIFEST, change_labels, list_versions, rollback, version_folder
from models.registry.labels import LABELS
from online.model_client.live_models import COMPARED, LiveModel, LiveModels
from online.model_client.transport import Overloaded, Refused, VersionWithdrawn
from tests.models.fake_version import publish_one
from tests.patience import patience
from tests.schemas import MOVIES, SHOP

GOLDEN = 0.75


class Server:
    """A model server that serves the versions on disk, and scores golden rows. failing: the error of a version, if any."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self.calls: list[int] = []
        self.failing: dict[int, Exception] = {}

    async def check(self, name: str, version: int, *_: Any) -> Any:
        self.calls.append(version)
        if version in self.failing:
            raise self.failing[version]
        await asyncio.sleep(0.005)
        if version not in list_versions(self._models, name):
            raise VersionWithdrawn(f"no version {version}")
        return np.array([GOLDEN], np.float32)


class Hanging(Server):
    """A model server that takes calls and answers none before it goes on."""

    def __init__(self, models: Path) -> None:
        super().__init__(models)
        self.goes_on = asyncio.Event()

    async def check(self, name: str, version: int, *given: Any) -> Any:
        await self.goes_on.wait()
        return await super().check(name, version, *given)


Scene = Callable[[LiveModels, Server], Any]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[int, Scene], None]:
    """Runs a scene on versions 1 to n of a model, with live models that have polled them all or only the newest."""

    def play(versions: int, scene: Scene, seen: bool = False) -> None:
        async def run() -> None:
            server = Server(tmp_path)
            client: Any = server
            live_models = LiveModels(tmp_path, client, MOVIES.digest)
            for _ in range(versions):
                publish_one(tmp_path)
                if seen:
                    await live_models.poll()
            await live_models.poll()
            server.calls.clear()
            await scene(live_models, server)

        asyncio.run(run())

    return play


def live(live_models: LiveModels) -> LiveModel:
    found = live_models.get("toy")
    assert found is not None
    return found


@pytest.mark.parametrize("seen", [False, True])
def test_after_a_rollback_the_version_before_ranks_at_once(play: Any, tmp_path: Path, seen: bool) -> None:
    """Also in a process that was started after the newest version came, and has never seen the one before."""

    async def scene(live_models: LiveModels, server: Server) -> None:
        withdrawn = live(live_models)
        rollback(tmp_path, "toy")
        other = await live_models.replacement_for("toy", {withdrawn.version}, 1.0)
        assert other is not None
        assert other.version == 1

    play(2, scene, seen=seen)


def test_who_was_asked_for_the_old_one_while_it_was_looked_gets_the_new_one(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        withdrawn = live(live_models)
        rollback(tmp_path, "toy")
        await live_models.poll()
        assert await live_models.replacement_for("toy", {withdrawn.version}, 1.0) == live(live_models)
        assert live(live_models).version == 1

    play(2, scene)


def test_who_asks_while_somebody_looks_waits_for_the_same_look(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        withdrawn = live(live_models)
        rollback(tmp_path, "toy")
        others = await asyncio.gather(*(live_models.replacement_for("toy", {withdrawn.version}, 1.0) for _ in range(8)))
        assert {each.version if each else None for each in others} == {1}
        assert server.calls == [1]

    play(2, scene)


def test_where_nothing_else_is_there_or_in_time_nothing_ranks(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        assert await live_models.replacement_for("toy", {1}, 1.0) is None
        withdrawn = live(live_models)
        publish_one(tmp_path)
        assert await live_models.replacement_for("toy", {withdrawn.version}, 0.0) is None
        assert (await live_models.replacement_for("toy", {withdrawn.version}, 1.0) or withdrawn).version == 2

    play(1, scene)


def test_a_vanished_model_is_let_go_of_once_however_many_look(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        shutil.rmtree(tmp_path / "toy")
        polls = (live_models.replacement_for("toy", {1}, 1.0) for _ in range(4))
        assert await asyncio.gather(live_models.poll(), *polls) == [None] * 5
        assert live_models.get("toy") is None
        await live_models.poll()
        publish_one(tmp_path)
        await live_models.poll()
        assert live(live_models).version == 1
        await live_models.stop()

    play(1, scene)


def test_a_version_that_was_taken_twice_at_once_keeps_the_one_before(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        publish_one(tmp_path)
        await asyncio.gather(live_models.poll(), live_models.replacement_for("toy", {1}, 1.0))
        assert live(live_models).version == 2
        assert (await live_models.replacement_for("toy", {2}, 0.0) or live(live_models)).version == 1

    play(1, scene)


def test_a_version_of_another_schema_is_refused_with_what_to_do_and_the_one_before_ranks(
    play: Any, tmp_path: Path
) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        publish_one(tmp_path, schema=SHOP.digest)
        await live_models.poll()
        assert live(live_models).version == 1
        reason = live_models.refused["toy", 2]
        assert f"(schema {SHOP.digest}, the home's base has {MOVIES.digest}): train it anew" in reason
        assert server.calls == []  # it is not even asked for its golden scores

    play(1, scene)


def test_a_refused_version_waits_for_its_files_to_change(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        server.failing[2] = Refused("StatusCode.INTERNAL: op failed")
        publish_one(tmp_path)
        for _ in range(5):
            await live_models.poll()
        assert server.calls == [2]
        assert live_models.refused == {("toy", 2): "StatusCode.INTERNAL: op failed"}
        assert live(live_models).version == 1
        server.failing.clear()
        (version_folder(tmp_path, "toy", 2) / MANIFEST).touch()
        await live_models.poll()
        assert (live(live_models).version, live_models.refused) == (2, {})

    play(1, scene)


@pytest.mark.parametrize("error", [Unavailable("no answer"), Overloaded("busy"), VersionWithdrawn("not loaded yet")])
def test_a_version_without_an_answer_is_checked_at_each_poll(play: Any, tmp_path: Path, error: Exception) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        server.failing[2] = error
        publish_one(tmp_path)
        for _ in range(3):
            await live_models.poll()
        assert server.calls == [2, 2, 2]
        server.failing.clear()
        await live_models.poll()
        assert live(live_models).version == 2

    play(1, scene)


def test_the_stable_version_ranks_and_others_are_held_beside_it(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        assert (live(live_models).version, live_models.labels("toy")) == (4, None)
        change_labels(tmp_path, "toy", lambda found: found.decided(1, "begun", stable=2, last_good=1, candidate=4))
        await live_models.poll()
        assert live(live_models).version == 2
        beside = [live_models.labelled("toy", label) for label in COMPARED]
        assert [None if each is None else each.version for each in beside] == [4, 1]
        server.calls.clear()
        await live_models.poll()
        assert server.calls == [], "what was checked is not checked again"
        change_labels(tmp_path, "toy", lambda found: found.promoted(2, "better", 4))
        await live_models.poll()
        assert live(live_models).version == 4
        assert live_models.labelled("toy", "candidate") is None
        last_good = live_models.labelled("toy", "last-good")
        assert last_good is not None
        assert last_good.version == 2

    play(4, scene)


def test_a_stable_version_that_is_refused_gives_way_to_the_last_good_one(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        change_labels(tmp_path, "toy", lambda found: found.decided(1, "begun", stable=2, last_good=1, candidate=3))
        server.failing[2] = server.failing[3] = Refused("INTERNAL")
        fresh: Any = LiveModels(tmp_path, server, MOVIES.digest)  # type: ignore[arg-type]
        await fresh.poll()
        assert live(fresh).version == 1
        assert {version for _, version in fresh.refused} == {2, 3}
        assert fresh.labelled("toy", "candidate") is None

    play(3, scene)


def test_labels_that_can_not_be_read_leave_what_held_before(play: Any, tmp_path: Path) -> None:
    async def scene(live_models: LiveModels, server: Server) -> None:
        change_labels(tmp_path, "toy", lambda found: found.decided(1, "begun", stable=1))
        await live_models.poll()
        (tmp_path / "toy" / LABELS).write_text("{")
        await live_models.poll()
        assert live(live_models).version == 1

    play(2, scene)


def test_a_start_does_not_wait_for_a_server_that_hangs_and_what_it_has_ranks_later(tmp_path: Path) -> None:
    publish_one(tmp_path)

    async def run() -> None:
        server: Any = Hanging(tmp_path)
        live_models = LiveModels(tmp_path, server, MOVIES.digest)
        await live_models.start(timeout=0.01)
        assert live_models.get("toy") is None
        server.goes_on.set()
        while live_models.get("toy") is None:
            await asyncio.sleep(0.005)
        assert server.calls == [1], "by the poll that was under way"
        await live_models.stop()

    async def bounded() -> None:
        async with asyncio.timeout(patience(10)):
            await run()

    asyncio.run(bounded())


def test_a_start_waits_for_a_server_that_answers(tmp_path: Path) -> None:
    publish_one(tmp_path)

    async def run() -> None:
        server: Any = Server(tmp_path)
        live_models = LiveModels(tmp_path, server, MOVIES.digest)
        await live_models.start()
        assert live(live_models).version == 1
        await live_models.stop()

    asyncio.run(run())


def test_a_start_that_is_stopped_while_the_server_hangs_leaves_nothing_behind(tmp_path: Path) -> None:
    publish_one(tmp_path)

    async def run() -> None:
        server: Any = Hanging(tmp_path)
        live_models = LiveModels(tmp_path, server, MOVIES.digest)
        await live_models.start(timeout=0.01)
        await live_models.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
