"""New and changed items in the stream: from a mark of the catalogue on, events know them; what was folded before stays."""

import pytest
from kafka import KafkaConsumer, TopicPartition

from features.contracts.catalogue_mark import read_mark
from features.keys import DEFAULT_PARTITIONS, EVENTS, ITEMS
from tests.home import Martlet, until

pytestmark = pytest.mark.home

ITEM = "an item of two lives"


def liked_under(martlet: Martlet, user: int) -> set[str]:
    """What the user's like of the item counted for."""
    token = martlet.post({"type": "like", "user_id": user, "item_id": ITEM}).json()["seen"]
    martlet.applied(user, token)
    return set(martlet.user(user)["weights"])


def put(martlet: Martlet, genres: list[str]) -> None:
    """Change the item, and wait until each partition has a mark of a catalogue that has the change."""
    consumer = KafkaConsumer(bootstrap_servers=martlet.bootstrap)
    try:
        parts, items = (
            [TopicPartition(EVENTS, number) for number in range(DEFAULT_PARTITIONS)],
            TopicPartition(ITEMS, 0),
        )
        consumer.assign(parts)
        for part, end in consumer.end_offsets(parts).items():
            consumer.seek(part, end)
        answer = martlet.http.put(f"/v1/items/{ITEM}", json={"title": ITEM, "genres": genres})
        assert answer.status_code == 200
        version, unmarked = consumer.end_offsets([items])[items], set(parts)

        def marked() -> bool:
            for part, records in consumer.poll(100).items():
                if any((read_mark(record.value) or 0) >= version for record in records):
                    unmarked.discard(part)
            return not unmarked

        until(marked, 60, "the catalogue is marked in all partitions")
    finally:
        consumer.close()


@pytest.mark.soak
def test_an_event_counts_for_what_its_item_was_then(martlet: Martlet) -> None:
    first, second, third = 970_001, 970_002, 970_003
    assert liked_under(martlet, first) == set(), "nobody knows the item yet"
    put(martlet, ["Knitting", "Drama"])
    assert liked_under(martlet, second) == {"Knitting", "Drama"}
    put(martlet, ["Cooking"])
    assert liked_under(martlet, third) == {"Cooking"}
    assert set(martlet.user(second)["weights"]) == {"Knitting", "Drama"}
    assert martlet.http.delete(f"/v1/items/{ITEM}").status_code == 200  # a new item would be in others' lists
    verified = martlet.command("verify", "--wait", "60")
    assert verified.returncode == 0, verified.stdout + verified.stderr
