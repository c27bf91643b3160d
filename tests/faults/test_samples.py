"""Shown lists become impressions of items and samples, also where the job dies in between."""

import os
import signal

import pytest

from features.contracts.samples import Sample
from features.fold.state import decode_item
from features.keys import DEFAULT_PARTITIONS, item_key, partition_of
from features.types import IMPRESSION
from offline.base.kafka_log import KafkaLog
from offline.training_data.logged_lists import logged_samples, spans_of
from tests.faults.conftest import attempt, await_job, new_checkpoint, pid_of, working
from tests.home import Martlet, until
from tests.ledger import verify

pytestmark = pytest.mark.broken


def samples_of(martlet: Martlet, user: int) -> dict[str, Sample]:
    """What training reads of a user, by request_id."""
    log = KafkaLog(martlet.kafka, patience=20)
    found = logged_samples(log, spans_of(log)[partition_of(user, DEFAULT_PARTITIONS)])
    return {sample.request_id: sample for sample in found if isinstance(sample, Sample) and sample.user_id == user}


def time_goes_on(martlet: Martlet, user: int) -> bool:
    """Another user of the lane does something: what a lane has been waiting for is closed by its events' time."""
    other = next(
        another
        for another in range(780_000, 781_000)
        if partition_of(another, DEFAULT_PARTITIONS) == partition_of(user, DEFAULT_PARTITIONS)
    )
    return martlet.post({"user_id": other, "type": "view", "item_id": 3}).status_code == 202


def impressions(martlet: Martlet, item: int) -> int:
    value = martlet.redis.hget(item_key(item), "v")
    return decode_item(value).counts[IMPRESSION] if isinstance(value, bytes) else 0


def test_a_shown_list_becomes_impressions_and_a_sample_though_the_job_dies(broken: Martlet) -> None:
    user = 770_001
    list_of = broken.recommend(user, size=5)
    request, first, second = list_of["request_id"], list_of["items"][0]["item_id"], list_of["items"][1]["item_id"]
    until(lambda: impressions(broken, first) > 0, 60, "the impression is counted")
    answers = {"user_id": user, "request_id": request}
    broken.post([{**answers, "type": "click", "item_id": first, "position": 0, "event_id": "answer-click"}])
    broken.post([{**answers, "type": "like", "item_id": second, "position": 1, "event_id": "answer-like"}])
    broken.post([{"user_id": user, "type": "undo", "target": "answer-like"}])
    new_checkpoint(broken)
    known = attempt(broken)
    for service in until(lambda: working(broken), 30, "tasks run"):
        os.kill(pid_of(broken, service), signal.SIGKILL)
    until(lambda: attempt(broken) != known, 60, "Flink notices")
    await_job(broken)
    sample = until(lambda: time_goes_on(broken, user) and samples_of(broken, user).get(request), 60, "the sample")
    assert [item.item_id for item in sample.served.items] == [item["item_id"] for item in list_of["items"]]
    assert [(action.event_id, action.type, action.item_id) for action in sample.actions] == [
        ("answer-click", "click", first)
    ]
    verify(broken)


def test_a_forgotten_user_leaves_no_sample(broken: Martlet) -> None:
    user = 770_002
    other = next(
        another
        for another in range(user + 1, user + 1000)
        if partition_of(another, DEFAULT_PARTITIONS) == partition_of(user, DEFAULT_PARTITIONS)
    )
    request = broken.recommend(user, size=3)["request_id"]
    until(
        lambda: int(broken.redis.hget(f"job:{partition_of(user, DEFAULT_PARTITIONS)}", "lists") or 0) > 0,
        20,
        "the list is open",
    )
    broken.post([{"user_id": user, "type": "forget_user"}])
    later = broken.recommend(other, size=3)["request_id"]
    until(lambda: time_goes_on(broken, user) and later in samples_of(broken, other), 60, "the sample of a later list")
    assert request not in samples_of(broken, user)  # its list would have been closed before
    verify(broken)
