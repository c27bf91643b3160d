"""What was shown is in the log: exactly the list that was answered, in its user's partition."""

import time
from typing import Self

import httpx
import numpy as np
import pytest
from kafka import KafkaConsumer, TopicPartition

from features.contracts.served import Served, read_served
from features.contracts.shown_lists import read_shown
from features.ids import Ids
from features.inputs.model_inputs import RawInputs, layout, model_inputs
from features.keys import DEFAULT_PARTITIONS, SERVED, SHOWN, partition_of
from models.registry import read_manifest, version_folder
from tests.home import Martlet, until
from tests.schemas import MOVIES

pytestmark = pytest.mark.home


class Shown:
    """The lists that the log holds of a user, from the moment on at which this was made: in the user's partition alone. Each is
    read where its head says that it lies."""

    def __init__(self, martlet: Martlet, user: int) -> None:
        self._key = str(user).encode()
        self._user = user
        self._consumer = KafkaConsumer(bootstrap_servers=martlet.bootstrap, consumer_timeout_ms=200)
        parts = [TopicPartition(topic, partition_of(user, DEFAULT_PARTITIONS)) for topic in (SERVED, SHOWN)]
        self._consumer.assign(parts)
        self._consumer.seek_to_end(*parts)
        for part in parts:
            self._consumer.position(part)  # now, not with the first poll
        self._records: dict[int, bytes] = {}
        self._heads: dict[str, int | None] = {}
        self._found: dict[str, Served] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def lists(self, request_ids: set[str]) -> dict[str, Served]:
        """All of them, in the log's order, once these have come."""
        deadline = time.monotonic() + 20
        while not request_ids <= self._found.keys():
            assert time.monotonic() < deadline, f"missing: {request_ids - self._found.keys()}"
            for record in self._consumer:
                if record.key == self._key and record.topic == SHOWN:
                    self._records[record.offset] = record.value
                elif record.key == self._key:
                    head = read_served(record.value, MOVIES.ids)
                    assert head.user_id == self._user
                    assert head.request_id not in self._heads, "a list that was logged twice"
                    self._heads[head.request_id] = head.shown
            for request_id, offset in self._heads.items():
                if offset in self._records and request_id not in self._found:
                    self._found[request_id] = read_shown(self._records[offset])
        return self._found


def test_the_list_that_was_shown_is_in_the_log(martlet: Martlet, new_user: int) -> None:
    for user, model, size in ((6, "widedeep", 20), (6, "neuralcf", 100), (new_user, "widedeep", 1)):
        with Shown(martlet, user) as shown:
            answer = martlet.whole(user, model=model, size=size)
            served = shown.lists({answer["request_id"]})[answer["request_id"]]
        assert (served.model, served.model_version) == (model, answer["model_version"])
        assert served.ts == served.at == answer["at"]
        assert served.degraded == ()
        inside = Ids(bytes.fromhex(martlet.salt)).inside  # the log has the numbers inside
        assert [(item.item_id, item.score, list(item.channels)) for item in served.items] == [
            (inside(item["item_id"]), item["score"], item["channels"]) for item in answer["items"]
        ]
        assert [item.position for item in served.items] == list(range(size))
        ranked = dict(zip(served.candidates.item_id, served.candidates.score, strict=True))
        assert len(ranked) > size
        assert {item.item_id: item.score for item in served.items}.items() <= ranked.items()
        assert max(ranked.values()) == served.items[0].score


@pytest.mark.parametrize("model", ["widedeep", "fusion"])
def test_the_logged_features_give_the_scores_that_were_shown(martlet: Martlet, model: str) -> None:
    """What training will read is what the model was asked with: asked again, it says the same."""
    with Shown(martlet, 6) as shown:
        answer = martlet.whole(6, model=model, size=30)
        served = shown.lists({answer["request_id"]})[answer["request_id"]]
    manifest = read_manifest(version_folder(martlet.home / "models", model, answer["model_version"]))
    features = served.features
    assert features is not None
    assert features.layout == layout(manifest.maps.vocabulary, MOVIES.digest)
    histories = None
    if features.history is not None:
        items, marks, gaps = (np.array(part) for part in features.history)
        histories = items, marks, gaps
    columns = model_inputs(
        [each.name for each in manifest.inputs],
        manifest.maps,
        RawInputs(
            np.array([6]),
            np.array([features.user], np.float32),
            np.array([item.item_id for item in served.items]),
            np.array(features.items, np.float32),
            None if features.cross is None else np.array(features.cross, np.float32),
            histories,
            None if features.signals is None else np.array(features.signals, np.float32),
        ),
    )
    rows = [{name: column[at].tolist() for name, column in columns.items()} for at in range(len(served.items))]
    url = f"http://127.0.0.1:{martlet.status()['ports']['model_rest']}/v1/models/{model}/versions/{answer['model_version']}"
    said = httpx.post(f"{url}:predict", json={"instances": rows}, timeout=10, trust_env=False).json()
    np.testing.assert_allclose(np.ravel(said["predictions"]), [item.score for item in served.items], atol=1e-5)


def test_a_list_for_another_time_and_one_of_nothing_are_logged_too(martlet: Martlet, new_user: int) -> None:
    with Shown(martlet, new_user) as shown:
        past = martlet.recommend(new_user, at=880_000_000_000, genre="Film-Noir", size=100)
        assert past["items"]
        gone = ",".join(str(item["item_id"]) for item in past["items"])
        empty = martlet.recommend(new_user, genre="Film-Noir", exclude=gone)
        assert empty["items"] == []
        found = shown.lists({past["request_id"], empty["request_id"]})
    assert found[past["request_id"]].at == 880_000_000_000
    assert found[past["request_id"]].ts > 880_000_000_000
    assert found[empty["request_id"]].items == ()
    assert found[empty["request_id"]].candidates.item_id == []


def test_an_event_may_say_which_list_it_answers(martlet: Martlet, new_user: int) -> None:
    with Shown(martlet, new_user) as shown:
        answer = martlet.recommend(new_user)
        event = {
            "type": "like",
            "user_id": new_user,
            "item_id": answer["items"][2]["item_id"],
            "request_id": answer["request_id"],
            "position": 2,
        }
        posted = martlet.post(event)
        assert posted.status_code == 202
        after = martlet.applied(new_user, posted.json()["seen"])
        found = shown.lists({answer["request_id"], after["request_id"]})
    assert found[answer["request_id"]].items[2].item_id == event["item_id"]
    assert event["item_id"] not in found[after["request_id"]].candidates.item_id
    assert list(found).index(answer["request_id"]) < list(found).index(after["request_id"])


def test_what_is_logged_is_counted(martlet: Martlet, new_user: int) -> None:
    before, dropped_before = sent(martlet), dropped(martlet)
    with Shown(martlet, new_user) as shown:
        answers = {martlet.recommend(new_user)["request_id"] for _ in range(30)}
        assert len(shown.lists(answers)) == 30
    until(lambda: sent(martlet) >= before + 30, 60, "the count of what was sent")
    assert dropped(martlet) == dropped_before


def dropped(martlet: Martlet) -> list[str]:
    lines = martlet.http.get("/metrics").text.splitlines()
    return [
        line for line in lines if line.startswith(("martlet_served_dropped_total{", "martlet_shown_dropped_total{"))
    ]


def sent(martlet: Martlet) -> float:
    (line,) = [
        line for line in martlet.http.get("/metrics").text.splitlines() if line.startswith("martlet_served_sent_total ")
    ]
    return float(line.split()[1])
