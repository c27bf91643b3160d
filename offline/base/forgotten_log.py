"""Who wanted to be forgotten, from the log: the job writes each wish to `samples`, where the user's lists end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

import msgspec

from features.contracts.samples import Forgotten, read_sample
from features.durable import write_whole
from features.errors import BadEvent
from features.ids import OuterId
from features.keys import SAMPLES
from features.types import Millis
from offline.base.forgotten_users import EVER, FILE, ForgottenUsers, read_forgotten
from offline.base.kafka_log import Record, Span

_NAMED: Final = b'"forgotten_ts"'


class SampleLog(Protocol):
    """The topic `samples`, as far as it goes now."""

    def spans(self, topic: str) -> list[Span]: ...

    def read(self, span: Span) -> Iterator[Record]: ...


def take_forgotten(data_dir: Path, log: SampleLog) -> ForgottenUsers:
    """Read the log on from where it was read, and note whom it names; all who are known then. Raises Broken, Unavailable."""
    known = read_forgotten(data_dir)
    users: dict[OuterId, Millis] = dict(known.users)
    offsets = {}
    for span in log.spans(SAMPLES):
        noted = known.offsets.get(span.partition, span.start)
        start = noted if span.start <= noted <= span.end else span.start
        for record in log.read(span._replace(start=start)):
            named = _forgotten(record.value) if _NAMED in record.value else None
            if named is not None:
                users[named.user_id] = max(users.get(named.user_id, 0), EVER if named.until is None else named.until)
        offsets[span.partition] = span.end
    taken = ForgottenUsers(offsets, tuple(users.items()))
    if taken != known:
        write_whole(data_dir / FILE, msgspec.json.encode(taken))
    return taken


def _forgotten(value: bytes) -> Forgotten | None:
    try:
        sample = read_sample(value)
    except BadEvent:
        return None
    return sample if isinstance(sample, Forgotten) else None
