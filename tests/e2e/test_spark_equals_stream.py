"""Spark's run of the fold over the log gives the bytes that the stream gave: features, seen sets, neighbours."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from features.base.reader import Base
from features.fold.co_visits import encode_neighbours
from features.fold.state import UserFeatures, decode_user, encode_features
from features.fold.user import thaw_user
from features.keys import DEFAULT_PARTITIONS, EVENTS, SERVED, VALUE, item_key, pairs_key, seen_key, user_key, user_of
from infra.home.paths import Home
from infra.home.record import HomeRecord
from online.stores.catalogue_marks import AGAIN as MARKS_AGAIN
from tests.home import Martlet, until
from tests.ledger import NAMES, await_log_end, ends_of, lane_of, settings_of, verify
from tests.patience import patience

pytestmark = [pytest.mark.home, pytest.mark.soak]

T = TypeVar("T")
USERS = range(920_001, 920_021)


def live_a_little(martlet: Martlet) -> None:
    """All kinds of events and lists, so that the comparison does not depend on what other tests have left in the log."""
    for user in USERS:
        acts = [{"type": "like", "item_id": item, "event_id": f"s{user}-{item}"} for item in range(1, 2 + user % 17)]
        acts += [{"type": "rating", "item_id": 50, "rating": 2.5}, {"type": "impression", "item_id": 4}]
        acts += [{"type": "undo", "target": f"s{user}-1"}, {"type": "click", "item_id": user}, acts[0]]
        if user % 7 == 0:
            acts += [{"type": "forget_user"}]
        posted = martlet.post([{"user_id": user, **act} for act in acts])
        assert posted.status_code == 202, posted.text
        shown = martlet.recommend(user, seen=posted.json()["seen"])
        first = shown["items"][0]["item_id"]
        click = {"type": "click", "user_id": user, "item_id": first, "request_id": shown["request_id"], "position": 0}
        assert martlet.post(click).status_code == 202


def is_still(martlet: Martlet) -> bool:
    """Whether nothing came into the log for as long as an API process may take to mark the last change of an item once more."""
    ends = ends_of(martlet)
    time.sleep(1.2 * MARKS_AGAIN)
    return ends_of(martlet) == ends


@pytest.fixture(scope="module")
def made(martlet: Martlet) -> Base:
    """The base that the command makes of the home's base and its whole log, while the stream has folded just as much."""
    before = HomeRecord(Home(martlet.home))
    lists = sum(ends_of(martlet)[SERVED].values())
    live_a_little(martlet)
    until(lambda: sum(ends_of(martlet)[SERVED].values()) >= lists + len(USERS), 30, "the shown lists are in the log")
    until(lambda: is_still(martlet), 30, "nobody writes into the log")
    await_log_end(martlet)
    ends = ends_of(martlet)
    done = martlet.command("features", "--from-log", within=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "folds what came into the log since" in done.stdout
    assert ends_of(martlet) == ends, "nobody else may write meanwhile"
    number = HomeRecord(Home(martlet.home)).next_base_number()
    assert number != before.base_number
    base = Base(Home(martlet.home).bases / str(number))
    assert base.offsets == ends
    return base


def chunks(values: Sequence[T], size: int = 1000) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def first_difference(
    martlet: Martlet, wanted: dict[str, Any], ask: Callable[[Any, str], None]
) -> tuple[str, Any, Any] | None:
    """(key, expected, got) of the first key for which Redis says something else."""
    for keys in chunks(list(wanted)):
        pipe = martlet.redis.pipeline(transaction=False)
        for key in keys:
            ask(pipe, key)
        for key, got in zip(keys, pipe.execute(), strict=True):
            if got != wanted[key]:
                return key, wanted[key], got
    return None


def value_of(pipe: Any, key: str) -> None:
    pipe.hget(key, VALUE)


def members_of(pipe: Any, key: str) -> None:
    pipe.smembers(key)


def same(martlet: Martlet, wanted: dict[str, Any], ask: Callable[[Any, str], None]) -> None:
    """Items reach Redis within a second after the users: wait for that, no longer."""
    assert wanted
    last: list[Any] = []

    def equal() -> bool:
        last[:] = [first_difference(martlet, wanted, ask)]
        return last[0] is None

    try:
        until(equal, 15, "equality")
    except AssertionError:
        raise AssertionError(f"different: key, Spark's, the stream's: {last[0]}") from None


def nobody(key: str) -> bytes:
    return encode_features(UserFeatures(user_of(key)))


def test_users(martlet: Martlet, made: Base) -> None:
    assert set(USERS) < set(made.user_ids)
    # Of some users both know nothing: the base has their shown lists, the stream a rejected record or an erased past.
    features = {user_key(user_id): stored.features for user_id, stored in made.users()}
    wanted = {key: value for key, value in features.items() if value != nobody(key)}
    same(martlet, wanted, value_of)
    for key in map(bytes.decode, martlet.redis.scan_iter("{u:*}", count=5000, _type="hash")):
        if key not in wanted:
            assert martlet.redis.hget(key, VALUE) == nobody(key), key
    seen = {
        seen_key(user_id): {str(item).encode() for item, *_ in thaw_user(made.stored_user(user_id) or b"").seen.items()}
        for user_id, _ in made.users()
    }
    same(martlet, seen, members_of)
    assert any(decode_user(value).duplicates for value in wanted.values())


def test_items(martlet: Martlet, made: Base) -> None:
    wanted = {item_key(item_id): value for item_id, value in made.all_item_features()}
    same(martlet, wanted, value_of)
    assert {key.decode() for key in martlet.redis.scan_iter("i:*", count=5000)} == set(wanted)


def test_neighbours(martlet: Martlet, made: Base) -> None:
    wanted = {pairs_key(item_id): encode_neighbours(pairs.neighbours()) for item_id, pairs in made.all_pairs()}
    same(martlet, wanted, value_of)
    assert {key.decode() for key in martlet.redis.scan_iter("p:*", count=5000)} == set(wanted)


def test_the_ledger(martlet: Martlet, made: Base) -> None:
    """What became of each record, as Spark counted it and as the job did."""
    told = (lane_of(martlet, number) for number in range(DEFAULT_PARTITIONS))
    lanes = [lane for lane in told if lane is not None]
    for topic, ledger in made.manifest["ledger"].items():
        counted = {name.removeprefix("served_"): sum(getattr(lane, name) for lane in lanes) for name in NAMES[topic]}
        assert counted == {name: ledger[name] for name in counted}
        assert counted["applied"] > 0


MISSING = "neuralcf"
"""The model that the home lacks when it starts anew: the one that is trained in the least time."""


@dataclass(frozen=True)
class Restarted:
    """The shared home, started anew. before: its record until then; output: of `up`."""

    before: HomeRecord
    output: str


@pytest.fixture(scope="module")
def restarted(martlet: Martlet, made: Base) -> Restarted:
    """The home, started from the base that the command has made, without a network and without one of its models. What uses it
    comes last in this file."""
    before = HomeRecord(Home(martlet.home))
    like = {"type": "like", "user_id": USERS[0], "item_id": 99, "event_id": "after"}
    assert martlet.post(like).status_code == 202
    port = martlet.address.rsplit(":", 1)[1]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTPS_PROXY", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
        patch.setenv("UV_OFFLINE", "1")
        patch.setenv("PIP_NO_INDEX", "1")
        assert martlet.command("down", within=240).returncode == 0
        shutil.rmtree(martlet.home / "models" / MISSING)
        started = martlet.command("up", "--detach", "--port", port, within=300)
    assert started.returncode == 0, started.stdout + started.stderr
    return Restarted(before, started.stdout)


@pytest.mark.timeout(patience(1800))
def test_a_model_that_the_home_lacks_is_trained_while_it_serves(martlet: Martlet, restarted: Restarted) -> None:
    """The second half of a first start; all of one is in test_from_nothing.py."""

    def ranking() -> list[str]:
        return [model["name"] for model in martlet.http.get("/v1/models").json()["models"]]

    def preparing() -> set[str]:
        return {step["name"] for step in martlet.status()["preparing"]}

    assert {"models", "lists by models"} <= preparing()
    until(lambda: ranking() == ["fusion", "widedeep"], 60, "lists do not wait for the missing one")
    assert martlet.whole(6)["model"] == "fusion"
    until(lambda: MISSING in ranking(), 900, "the missing model ranks")  # it is trained at the lowest priority
    martlet.whole(6, model=MISSING)
    until(lambda: not preparing(), 60, "nothing is left to prepare")
    until(lambda: martlet.http.get("/readyz").status_code == 200, 60, "all is ready")


def test_the_home_goes_on_from_a_base_of_its_log(martlet: Martlet, made: Base, restarted: Restarted) -> None:
    assert "base into Redis" in restarted.output
    record = HomeRecord(Home(martlet.home))
    assert (record.base_number, record.generation) == (int(made.folder.name), restarted.before.generation + 1)
    until(lambda: 99 in martlet.user(USERS[0])["sequence"], 60, "the event after the base")
    verify(martlet)
    # The job has read what the base does not hold, and nothing else.
    lanes = [lane_of(martlet, number) for number in range(DEFAULT_PARTITIONS)]
    new = sum(ends_of(martlet)[EVENTS].values()) - sum(made.offsets[EVENTS].values())
    assert sum(lane.read for lane in lanes if lane is not None and lane.generation == record.generation) == new
    # Where a next base would end: what a lane has not touched since, the base says.
    assert settings_of(martlet).generation == record.generation
    await_log_end(martlet)
