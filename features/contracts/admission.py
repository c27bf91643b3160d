"""Admission: the one rule by which a record of the log is an event of its user, is rejected, or is keyed or partitioned wrongly.

Flink's operator and `verify` both apply it, so they can't disagree.
"""

from features.contracts.catalogue_mark import read_mark
from features.contracts.events import check_time, read_event
from features.contracts.served import ServedHead, read_served
from features.errors import BadEvent, BadInput
from features.keys import partitioner
from features.schema.tables import Schema
from features.types import Event, Millis, UserId


class Misplaced(Exception):
    """A good event under another key or in another partition than its user's: it is sent on to the right one, under `key`."""

    def __init__(self, event: Event, key: str) -> None:
        super().__init__(f"event {event.event_id} of user {key} lies under another key or partition")
        self.event = event
        self.key = key


class Marked(Exception):
    """A mark of the catalogue: `version` holds from here on in the record's partition."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the catalogue's version is {version} from here on")
        self.version = version


def key_text(key: bytes | None) -> str:
    """A record's key as text: "" where there is none, or it is no UTF-8."""
    try:
        return "" if key is None else key.decode()
    except UnicodeDecodeError:
        return ""


class Admission:
    """The rule of one home, by what its events mean and how its log is divided. Of a record, `broker_ts` stands for wall time, so
    that every run decides alike; `clock` is the home's clock at that moment."""

    def __init__(self, schema: Schema, partitions: int) -> None:
        self._schema, self._partition_of = schema, partitioner(partitions)

    def admit(self, value: bytes, key: str, partition: int, broker_ts: Millis, clock: Millis) -> Event:
        """The event of a record. Raises BadEvent (to `events.rejected`), Misplaced or Marked."""
        try:
            event = read_event(value, self._schema)
        except BadEvent:
            version = read_mark(value)
            if version is None:
                raise
            raise Marked(version) from None
        check_time(event.ts, broker_ts, clock)
        expected = str(event.outer_user)
        if key != expected or not self._holds(partition, expected):
            raise Misplaced(event, expected)
        return event

    def admit_list(self, value: bytes, key: str, partition: int, broker_ts: Millis, clock: Millis) -> ServedHead:
        """The shown list of a record of `served`, as `admit` does it. Raises BadEvent; a list is never sent on."""
        head = read_served(value, self._schema.ids)
        check_time(head.ts, broker_ts, clock)
        expected = str(head.user)
        if key != expected or not self._holds(partition, expected):
            raise BadEvent("user_id", f"the user of key {key!r} in partition {partition}", expected)
        return head

    def user_of_key(self, key: str, partition: int) -> UserId | None:
        """The user to whom a record belongs by its key, even if its value can't be read; None for a key that is no user's
        canonical id or lies in another partition than that user's."""
        try:
            user_id = self._schema.ids.inside(key)
        except BadInput:
            return None
        return user_id if self._holds(partition, key) else None

    def _holds(self, partition: int, user: str) -> bool:
        return partition == self._partition_of(user)
