"""Recall by vectors in a running home: channels appear when vectors were made, and go on with what is good."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.suspended import suspended
from tests.home import Martlet, until
from tests.spark_seeds import EMBEDDINGS

pytestmark = pytest.mark.home


def vectors(martlet: Martlet) -> dict[str, int]:
    """Kind → version, of those in use."""
    return {each["name"]: each["version"] for each in martlet.http.get("/v1/models").json()["vectors"]}


def refused(martlet: Martlet) -> dict[str, str]:
    return {each["name"]: each["reason"] for each in martlet.http.get("/v1/models").json()["refused"]}


def by_channel(martlet: Martlet) -> dict[str, int]:
    """Of a list that nothing was left out of: on a machine that is busy with a training one may be a rung down."""

    def whole() -> dict[str, Any] | None:
        answer = martlet.recommend(6, explain=1)
        return None if answer["degraded"] else answer

    found: dict[str, int] = until(whole, what="a whole list")["explain"]["stages"]["by_channel"]
    return found


def brought(source: Path, target: Path) -> None:
    """A version that another has made, as a publisher brings it: aside, then one rename."""
    aside = target.parent / f".{target.name}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, aside)
    aside.rename(target)


@pytest.fixture(scope="module")
def embedded(martlet: Martlet, later: Path) -> Martlet:
    """A home to which embeddings came while it served."""
    assert not set(EMBEDDINGS) & set(by_channel(martlet))
    brought(later / "embeddings" / "1", martlet.home / "embeddings" / "1")
    until(lambda: set(vectors(martlet)) >= set(EMBEDDINGS), what="taking the embeddings in")
    return martlet


@pytest.fixture(scope="module")
def towered(martlet: Martlet, later: Path) -> Iterator[Martlet]:
    """A home with a two-tower model, which came while it served, for as long as these tests last."""
    assert "twotower" not in vectors(martlet)
    brought(later / "models" / "twotower" / "1", martlet.home / "models" / "twotower" / "1")
    until(lambda: "twotower" in vectors(martlet), what="taking the towers in")
    yield martlet
    shutil.rmtree(martlet.home / "models" / "twotower")


def test_embeddings_are_channels_without_a_restart(embedded: Martlet) -> None:
    found = by_channel(embedded)
    assert all(found[name] > 20 for name in EMBEDDINGS)
    assert {path.name.split("-")[0] for path in (embedded.home / "run" / "vectors").iterdir()} >= set(EMBEDDINGS)
    items = embedded.recommend(6, explain=1, size=100)["items"]
    told = [item["explain"]["channels"]["als"] for item in items if "als" in item["channels"]]
    assert told
    assert all(each["place"] >= 0 and isinstance(each["strength"], float) for each in told)
    seen = {int(item) for item in embedded.redis.smembers("{u:6}:seen")}
    assert not seen & {item["item_id"] for item in items}


def test_what_was_just_liked_moves_them(embedded: Martlet, new_user: int) -> None:
    assert "als" not in {name for item in embedded.recommend(new_user)["items"] for name in item["channels"]}
    token = embedded.post({"type": "like", "user_id": new_user, "item_id": 50}).json()["seen"]
    embedded.applied(new_user, token)
    items = embedded.whole(new_user, size=100)["items"]
    assert {name for item in items for name in item["channels"]} >= set(EMBEDDINGS)


def test_a_bad_version_is_named_and_the_one_before_goes_on(embedded: Martlet) -> None:
    good = vectors(embedded)["als"]
    folder = embedded.home / "embeddings"
    shutil.copytree(folder / str(good), folder / "bad")
    path: Path = folder / "bad" / "als" / "items.npy"
    path.write_bytes(path.read_bytes()[:1000])
    (folder / "bad").rename(folder / str(good + 1))
    try:
        until(lambda: "als" in refused(embedded), what="the refusal")
        assert "was changed or cut" in refused(embedded)["als"]
        until(lambda: vectors(embedded)["item2vec"] == good + 1, what="taking in what is good of it")
        assert vectors(embedded)["als"] == good
        assert by_channel(embedded)["als"] > 50
    finally:
        shutil.rmtree(folder / str(good + 1))
    until(lambda: not refused(embedded), what="forgetting it")


def test_the_tower_is_asked_for_the_user_and_named_when_it_does_not_answer(towered: Martlet) -> None:
    until(lambda: by_channel(towered).get("twotower", 0) > 5, what="the first vector of a user")
    pid = towered.status()["services"]["model-server"]["pid"]
    with suspended(pid):
        answer = towered.recommend(6)
        assert "recall channel failed: twotower" in answer["degraded"]
        assert len(answer["items"]) == 20
    until(lambda: towered.recommend(6)["degraded"] == [], what="answers as before")


@pytest.mark.soak
def test_the_commands_make_them_while_the_home_serves(embedded: Martlet, towered: Martlet) -> None:
    """What the seed has brought above, made by the commands: embeddings and towers of a version of their own."""
    before = vectors(embedded)
    for command in (("embeddings",), ("train", "--model", "twotower")):
        done = embedded.command(*command, within=580)
        assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: all(vectors(embedded)[name] > version for name, version in before.items()), what="taking them in")
    assert all(by_channel(embedded)[name] > 20 for name in EMBEDDINGS)
