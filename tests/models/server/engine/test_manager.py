"""The life of versions, in this process: every wait is for a pass of the manager, not for a time."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.server.config import Config, ModelConfig
from models.server.engine import inference
from models.server.engine.manager import Manager
from models.server.engine.model_state import State
from models.server.errors import Code, ServingError
from models.server.version_policy import All, Latest
from tests.patience import patience

pytestmark = pytest.mark.keras

X = np.array([[1, 0]], dtype=np.float32)


def bias_of(manager: Manager, name: str = "m", **which: Any) -> float:
    """Which version of ``linear`` answers."""
    with manager.lease(name, **which) as servable:
        [score] = inference.predict(servable, servable.signatures["one"], {"x": X})["score"]
        return float(score) - 2


def states(manager: Manager, name: str = "m") -> list[tuple[int, str, str]]:
    return [(status.version, status.state.name, status.code.name) for status in manager.statuses(name)]


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + patience(seconds)
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def wait_passes(manager: Manager) -> None:
    """Until the manager has looked again, wholly from now on, twice."""
    begun = manager.passes
    wait_until(lambda: manager.passes >= begun + 3)


@pytest.fixture
def start() -> Iterator[Callable[..., Manager]]:
    """Start a manager that looks 20 times a second, and wait for its first pass."""
    started: list[Manager] = []

    def _start(config: Config, **more: Any) -> Manager:
        manager = Manager(config, poll_seconds=0.05, **more)
        started.append(manager)
        manager.start()
        assert manager.first_pass.wait(patience(30))
        return manager

    yield _start
    for manager in started:
        manager.stop()


def model(base_path: Path, **more: Any) -> dict[str, ModelConfig]:
    return {"m": ModelConfig("m", base_path, **more)}


def test_a_version_comes_and_the_old_one_goes(library: Any, tmp_path: Path, start: Any) -> None:
    library.put(library.linear(1), tmp_path / "m", "001")
    manager = start(model(tmp_path / "m"))
    assert bias_of(manager) == 1
    library.put(library.linear(2), tmp_path / "m")
    wait_until(lambda: states(manager) == [(2, "AVAILABLE", "OK"), (1, "END", "OK")])
    assert bias_of(manager) == 2
    with pytest.raises(ServingError, match=r"Specific\(m, 1\)"):
        bias_of(manager, version=1)


def test_deleting_the_largest_rolls_back(library: Any, tmp_path: Path, start: Any) -> None:
    for version in (1, 2):
        library.put(library.linear(version), tmp_path / "m")
    manager = start(model(tmp_path / "m"))
    assert states(manager) == [(2, "AVAILABLE", "OK")]
    shutil.rmtree(tmp_path / "m" / "2")
    wait_until(lambda: states(manager) == [(2, "END", "OK"), (1, "AVAILABLE", "OK")])
    assert bias_of(manager) == 1


def test_the_two_newest_are_kept(library: Any, tmp_path: Path, start: Any) -> None:
    for version in (1, 2):
        library.put(library.linear(version), tmp_path / "m")
    manager = start(model(tmp_path / "m", policy=Latest(2)))
    library.put(library.linear(3), tmp_path / "m")
    wait_until(lambda: states(manager) == [(3, "AVAILABLE", "OK"), (2, "AVAILABLE", "OK"), (1, "END", "OK")])
    assert (bias_of(manager), bias_of(manager, version=2)) == (3, 2)


def cut(path: Path) -> None:
    graph = path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])


def without_variables(path: Path) -> None:
    shutil.rmtree(path / "variables")


def emptied(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


def with_flipped_variables(path: Path) -> None:
    [data] = (path / "variables").glob("variables.data*")
    data.write_bytes(bytes(byte ^ 0xFF for byte in data.read_bytes()))


@pytest.mark.parametrize("breakage", [cut, without_variables, emptied, with_flipped_variables])
def test_a_broken_version_ends_and_the_old_one_serves(
    breakage: Callable[[Path], None], library: Any, tmp_path: Path, start: Any
) -> None:
    library.put(library.linear(1), tmp_path / "m")
    broken = tmp_path / "broken"
    shutil.copytree(library.linear(2), broken)
    breakage(broken)
    manager = start(model(tmp_path / "m"))
    broken.rename(tmp_path / "m" / "2")
    wait_until(lambda: manager.statuses("m")[0].state is State.END)
    status = manager.statuses("m")[0]
    assert status.code is not Code.OK
    assert status.message
    assert bias_of(manager) == 1
    if breakage is emptied:
        assert status.code is Code.NOT_FOUND
        assert status.message.startswith("Could not find SavedModel .pb or .pbtxt at supplied export directory path:")


def test_a_broken_version_is_tried_again_only_when_it_has_been_away(library: Any, tmp_path: Path, start: Any) -> None:
    library.put(library.linear(1), tmp_path / "m")
    second = tmp_path / "m" / "2"
    second.mkdir()
    manager = start(model(tmp_path / "m"))
    assert states(manager) == [(2, "END", "NOT_FOUND")]
    shutil.copytree(library.linear(2), second, dirs_exist_ok=True)
    wait_passes(manager)
    assert states(manager)[0] == (2, "END", "NOT_FOUND")
    shutil.rmtree(second)
    wait_until(lambda: states(manager) == [(2, "END", "NOT_FOUND"), (1, "AVAILABLE", "OK")])
    library.put(library.linear(2), tmp_path / "m")
    wait_until(lambda: states(manager) == [(2, "AVAILABLE", "OK"), (1, "END", "OK")])


def test_a_version_in_use_stays_until_its_last_request_is_done(library: Any, tmp_path: Path, start: Any) -> None:
    library.put(library.linear(1), tmp_path / "m")
    manager = start(model(tmp_path / "m"))
    with manager.lease("m") as old:
        library.put(library.linear(2), tmp_path / "m")
        wait_until(lambda: states(manager) == [(2, "AVAILABLE", "OK"), (1, "UNLOADING", "OK")])
        wait_passes(manager)
        [score] = inference.predict(old, old.signatures["one"], {"x": X})["score"]
        assert score == 3
        assert bias_of(manager) == 2
    wait_until(lambda: states(manager)[1] == (1, "END", "OK"))


def test_a_base_path_that_is_missing_or_empty_is_no_trouble_for_others(
    library: Any, tmp_path: Path, start: Any
) -> None:
    library.put(library.linear(1), tmp_path / "m")
    (tmp_path / "empty").mkdir()
    later = {name: ModelConfig(name, tmp_path / name) for name in ("missing", "empty")}
    manager = start(model(tmp_path / "m") | later)
    assert manager.available() == {"m": [1], "missing": [], "empty": []}
    with pytest.raises(ServingError, match=r"Latest\(missing\)"):
        bias_of(manager, "missing")
    for name in ("missing", "empty"):
        library.put(library.linear(2), tmp_path / name)
    wait_until(lambda: manager.available() == {"m": [1], "missing": [2], "empty": [2]})


def test_a_base_path_that_vanishes_changes_nothing(library: Any, tmp_path: Path, start: Any) -> None:
    library.put(library.linear(1), tmp_path / "m")
    manager = start(model(tmp_path / "m"))
    (tmp_path / "m").rename(tmp_path / "gone")
    wait_passes(manager)
    assert bias_of(manager) == 1
    (tmp_path / "gone").rename(tmp_path / "m")
    library.put(library.linear(2), tmp_path / "m")
    wait_until(lambda: manager.available() == {"m": [2]})


def test_labels_and_a_new_config(library: Any, tmp_path: Path, start: Any) -> None:
    for version in (1, 2):
        library.put(library.linear(version), tmp_path / "m")
    manager = start(model(tmp_path / "m", policy=All(), labels={"stable": 1}))
    assert bias_of(manager, label="stable") == 1
    manager.reload(model(tmp_path / "m", policy=All(), labels={"stable": 2}) | {"n": ModelConfig("n", tmp_path / "m")})
    assert bias_of(manager, label="stable") == 2
    assert bias_of(manager, "n") == 2
    with pytest.raises(ServingError, match="label to version 9 of model m"):
        manager.reload(model(tmp_path / "m", labels={"stable": 9}))
    manager.reload({"n": ModelConfig("n", tmp_path / "m")})
    assert manager.available() == {"n": [2]}
    assert states(manager) == [(2, "END", "OK"), (1, "END", "OK")]


def test_a_new_config_with_a_model_that_does_not_load(library: Any, tmp_path: Path, start: Any) -> None:
    library.put(library.linear(1), tmp_path / "m")
    (tmp_path / "broken" / "1").mkdir(parents=True)
    manager = start(model(tmp_path / "m"))
    with pytest.raises(ServingError, match=r"1 model\(s\) did not become available: .*Could not find SavedModel"):
        manager.reload(model(tmp_path / "m") | {"broken": ModelConfig("broken", tmp_path / "broken")})
    assert manager.available() == {"m": [1], "broken": []}


def versions_ever_seen(manager: Manager) -> list[int]:
    try:
        return [each.version for each in manager.statuses("m")]
    except ServingError:  # of none
        return []


def test_versions_that_ended_long_ago_are_forgotten(tmp_path: Path, start: Any) -> None:
    (tmp_path / "m").mkdir()
    manager = start(model(tmp_path / "m", policy=All()))
    for version in range(200):
        (tmp_path / "m" / str(version)).mkdir()
    wait_until(lambda: len(versions_ever_seen(manager)) == 200)
    for version in range(200):
        (tmp_path / "m" / str(version)).rmdir()
    (tmp_path / "m" / "200").mkdir()
    wait_until(lambda: len(manager.statuses("m")) == 129)
    assert manager.statuses("m")[0].version == 200


def test_warm_up(library: Any, tmp_path: Path, start: Any) -> None:
    good, bad, many, damaged = (
        library.put(library.linear(1), tmp_path / name, "1") for name in ("good", "bad", "many", "damaged")
    )
    request = library.request("another name", "one", x=X)
    library.record(good, request, library.request("m", x=X))
    library.record(bad, request, library.request("m", "one", x=X.astype(np.int64)))
    library.record(many, *[request] * 1001)
    library.record(damaged, request)
    file = damaged / "assets.extra" / "tf_serving_warmup_requests"
    file.write_bytes(file.read_bytes()[:-5])
    names = ("good", "bad", "many", "damaged")
    config = {name: ModelConfig(name, tmp_path / name) for name in names}
    manager = start(config)
    assert [states(manager, name) for name in names] == [
        [(1, "AVAILABLE", "OK")],
        [(1, "END", "INVALID_ARGUMENT")],
        [(1, "END", "INVALID_ARGUMENT")],
        [(1, "END", "DATA_LOSS")],
    ]
    assert "Expects arg[0] to be float but int64 is provided" in manager.statuses("bad")[0].message
    assert "exceeds the maximum (1000)" in manager.statuses("many")[0].message
    assert start(config, warm_up=False).available() == {name: [1] for name in names}


def test_the_keras_3_trap(library: Any, tmp_path: Path, start: Any) -> None:
    """``tf.saved_model.save`` of a Keras 3 model leaves variables that a Session can't find; ``export`` does not."""
    net = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    net.export(str(tmp_path / "exported" / "1"), verbose=False)
    tf.saved_model.save(net, str(tmp_path / "saved" / "1"))
    shutil.copytree(tmp_path / "saved", tmp_path / "unrecorded")
    manager = start({name: ModelConfig(name, tmp_path / name) for name in ("unrecorded", "exported")})
    with manager.lease("exported") as servable:
        [alias] = servable.signatures["serving_default"].inputs
        answer = inference.predict(servable, servable.signatures["serving_default"], {alias: X})
        assert np.allclose(next(iter(answer.values())), net(X))
    with manager.lease(
        "unrecorded"
    ) as servable:  # without a record it claims to be available, and fails who believes it
        [trap_alias] = servable.signatures["serving_default"].inputs
        with pytest.raises(ServingError, match="Could not find variable"):
            inference.predict(servable, servable.signatures["serving_default"], {trap_alias: X})
    library.record(tmp_path / "saved" / "1", library.request("m", **{trap_alias: X}))
    library.record(tmp_path / "exported" / "1", library.request("m", **{alias: X}))
    warmed = start({name: ModelConfig(name, tmp_path / name) for name in ("saved", "exported")})
    assert warmed.available() == {"saved": [], "exported": [1]}
    [status] = warmed.statuses("saved")
    assert status.code is Code.FAILED_PRECONDITION
    assert "Could not find variable" in status.message


def test_many_threads_share_a_version(library: Any, tmp_path: Path, start: Any) -> None:
    library.put(library.linear(1), tmp_path / "m")
    manager = start(model(tmp_path / "m"))
    wrong: list[Any] = []

    def request(number: int) -> None:
        rows = np.full((number + 1, 2), number, dtype=np.float32)
        for signature, alias in (("one", "score"), ("serving_default", "half")) * 50:
            with manager.lease("m") as servable:
                value = inference.predict(servable, servable.signatures[signature], {"x": rows}, [alias])[alias]
            expected = (5 * number + 1) / (1 if alias == "score" else 2)
            if value.tolist() != [expected] * (number + 1):
                wrong.append(value)

    threads = [threading.Thread(target=request, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not wrong
