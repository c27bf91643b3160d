"""Admission: the one rule by which a record of the log is an event of its user, is rejected, or is keyed or partitioned wrongly.

Flink's operator and `verify` both apply it, so they can't disagree.
"""

from features.contracts.events import check_time, read_event
from features.contracts.served import ServedHead, read_served
from features.errors import BadEvent
from features.keys import partition_of
from features.schema.tables import Schema
from features.types import MAX_ID, Event, Millis, UserId


class Misplaced(Exception):
    """A good event under another key or in another partition than its user's: it is sent on to the right one."""

    def __init__(self, event: Event) -> None:
        super().__init__(f"event {event.event_id} of user {event.user_id} lies under another key or partition")
        self.event = event


def admit(value: bytes, key: str, partition: int, broker_ts: Millis, clock: Millis, schema: Schema) -> Event:
    """The event of a record. `broker_ts` stands for wall time, so that every run decides alike; `clock` is the home's
    clock at that moment. Raises BadEvent (to `events.rejected`) or Misplaced."""
    event = read_event(value, schema)
    check_time(event.ts, broker_ts, clock)
    if key != str(event.user_id) or partition != partition_of(event.user_id):
        raise Misplaced(event)
    return event


def admit_list(value: bytes, key: str, partition: int, broker_ts: Millis, clock: Millis) -> ServedHead:
    """The shown list of a record of `served`, as `admit` does it. Raises BadEvent; a list is never sent on."""
    head = read_served(value)
    check_time(head.ts, broker_ts, clock)
    if key != str(head.user_id) or partition != partition_of(head.user_id):
        raise BadEvent("user_id", f"the user of key {key!r} in partition {partition}", str(head.user_id))
    return head


def user_of_key(key: str, partition: int) -> UserId | None:
    """The user to whom a record belongs by its key, even if its value can't be read; None for a key that is no user's
    or lies in another partition than that user's."""
    if not (key.isascii() and key.isdigit() and len(key) <= 19) or str(int(key)) != key or int(key) > MAX_ID:
        return None
    return int(key) if partition_of(int(key)) == partition else None
