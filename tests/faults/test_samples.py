"""Shown lists become impressions of items and samples, also where the job dies in between."""

import os
import signal
import time

from kafka import KafkaConsumer, TopicPartition

from features.names import SAMPLES, item_key, partition_of
from features.samples import Sample, read_sample
from features.state import decode_item
from features.words import IMPRESSION
from tests.faults.conftest import await_job, click, new_checkpoint, pid_of, verify, working
from tests.home import Martlet, until


def samples_of(martlet: Martlet, user: int) -> dict[str, Sample]:
    """What the topic holds of a user, by request_id."""
    consumer = KafkaConsumer(bootstrap_servers=martlet.bootstrap, consumer_timeout_ms=500)
    part = TopicPartition(SAMPLES, partition_of(user))
    consumer.assign([part])
    consumer.seek_to_beginning(part)
    try:
        found = [read_sample(record.value) for record in consumer if record.key == str(user).encode()]
    finally:
        consumer.close()
    return {sample.request_id: sample for sample in found}


def impressions(martlet: Martlet, item: int) -> int:
    value = martlet.redis.hget(item_key(item), "v")
    return decode_item(value).counts[IMPRESSION] if isinstance(value, bytes) else 0


def test_a_shown_list_becomes_impressions_and_a_sample_though_the_job_dies(broken: Martlet) -> None:
    user = 770_001
    list_of = broken.recommend(user, size=5)
    request, first, second = list_of["request_id"], list_of["items"][0]["item_id"], list_of["items"][1]["item_id"]
    until(lambda: impressions(broken, first) > 0, 20, "the impression is counted")
    answers = {"user_id": user, "request_id": request}
    broken.post([{**answers, "type": "click", "item_id": first, "position": 0, "event_id": "answer-click"}])
    broken.post([{**answers, "type": "like", "item_id": second, "position": 1, "event_id": "answer-like"}])
    broken.post([{"user_id": user, "type": "undo", "target": "answer-like"}])
    new_checkpoint(broken)
    for service in working(broken):
        os.kill(pid_of(broken, service), signal.SIGKILL)
    time.sleep(2)
    await_job(broken)
    time.sleep(6)
    click(broken, user, 3, within=60)  # the lane's time goes on, and closes the list
    sample = until(lambda: samples_of(broken, user).get(request), 30, "the sample")
    assert [item.item_id for item in sample.served.items] == [item["item_id"] for item in list_of["items"]]
    assert [(action.event_id, action.type, action.item_id) for action in sample.actions] == [
        ("answer-click", "click", first)
    ]
    verify(broken)


def test_a_forgotten_user_leaves_no_sample(broken: Martlet) -> None:
    user = 770_002
    request = broken.recommend(user, size=3)["request_id"]
    until(lambda: int(broken.redis.hget(f"job:{partition_of(user)}", "lists") or 0) > 0, 20, "the list is open")
    broken.post([{"user_id": user, "type": "forget_user"}])
    time.sleep(6)
    click(broken, user, 3)
    time.sleep(1)
    assert request not in samples_of(broken, user)
    verify(broken)
