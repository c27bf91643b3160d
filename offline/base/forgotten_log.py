"""Who wanted to be forgotten, from the log: the job writes each wish to `samples`, where the user's lists end.

`samples` is deleted in time. Where a part of it is gone that was not read, wishes are taken from `events`, which stays.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec

from features.contracts.samples import Forgotten, read_sample
from features.durable import write_whole
from features.errors import BadEvent, BadInput
from features.ids import OuterId, canonical
from features.keys import EVENTS, SAMPLES
from features.types import FORGET_USER, KINDS, Millis
from offline.base.forgotten_users import EVER, FILE, ForgottenUsers, read_forgotten
from offline.base.kafka_log import Record, Span

_NAMED: Final = b'"forgotten_ts"'
_FORGET: Final = KINDS[FORGET_USER]


class UserLog(Protocol):
    """The topics `samples` and `events`, as far as they go now."""

    def spans(self, topic: str) -> list[Span]: ...

    def read(self, span: Span) -> Iterator[Record]: ...


class _Act(msgspec.Struct):
    """What an event of the log says of who did what, and when."""

    type: str
    user_id: OuterId
    ts: Millis


def take_forgotten(data_dir: Path, log: UserLog) -> ForgottenUsers:
    """Read the log on from where it was read, and note whom it names; all who are known then. Raises Broken, Unavailable."""
    known = read_forgotten(data_dir)
    users: dict[OuterId, Millis] = dict(known.users)
    offsets = {}
    are_lost = False
    for span in log.spans(SAMPLES):
        noted = known.offsets.get(span.partition, 0)
        start = noted if span.start <= noted <= span.end else span.start
        are_lost |= 0 < start != noted
        for record in log.read(span._replace(start=start)):
            named = _forgotten(record.value) if _NAMED in record.value else None
            if named is not None:
                users[named.user_id] = max(users.get(named.user_id, 0), EVER if named.until is None else named.until)
        offsets[span.partition] = span.end
    for user, until in _forgotten_in_events(log) if are_lost else ():
        users[user] = max(users.get(user, 0), until)
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


def _forgotten_in_events(log: UserLog) -> Iterator[tuple[OuterId, Millis]]:
    """Yields each user whose wish is among the events, and the time up to which nothing is left: of the wish, or of the newest
    event before it."""
    for span in log.spans(EVENTS):
        users = {act.user_id for act in _acts(log, span, _FORGET.encode()) if act.type == _FORGET}
        newest: dict[OuterId, Millis] = {}
        for act in _acts(log, span, b"") if users else ():
            if act.user_id in users:
                newest[act.user_id] = max(newest.get(act.user_id, 0), act.ts)
                if act.type == _FORGET:
                    yield act.user_id, newest[act.user_id]


def _acts(log: UserLog, span: Span, part: bytes) -> Iterator[_Act]:
    """Yields what the records with `part` in them say, but for those that are no events."""
    for record in log.read(span):
        if part in record.value:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadInput):
                act = msgspec.json.decode(record.value, type=_Act)
                yield msgspec.structs.replace(act, user_id=canonical(act.user_id))
