"""The contract of the topic `scores`: how versions of a model are compared, and what was decided.

One partition, one JSON object a record, retained for 30 days. Its `kind` says which:

    list      the API has shown a list that interleaves the stable version with another ranker (team draft)
    shadow    the API has had a candidate rank beside a list, which shows nothing of it
    decision  the judge has changed a model's labels, and on what evidence
    slice     how well versions ranked lists that were shown, before any of them had learned from them

Unknown fields are ignored; every refusal is a `BadEvent` that names the field, what was expected and what came.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from features.contracts.events import Id, Inside, Name, Whole
from features.contracts.json_contract import read_json
from features.contracts.served import MAX_SLATE
from features.errors import BadEvent

SCORE_LIMIT: Final = 64 << 10
"""Bytes of one value; the largest list stays well below."""
YARDSTICK: Final = "yardstick"
"""The ranker that needs no training, to which versions are held: the channels' ranks, weighed together."""

_Items = Annotated[tuple[Inside, ...], Meta(max_length=MAX_SLATE)]


class InterleavedList(msgspec.Struct, frozen=True, tag_field="kind", tag="list"):
    """A shown list. stable: the version that ranks; opponent: `name:version`, or YARDSTICK; picks, opponent_picks: the items that
    each picked."""

    request_id: Name
    user_id: Id
    model: Name
    stable: Whole
    opponent: Annotated[str, Meta(min_length=1, max_length=96)]
    picks: _Items
    opponent_picks: _Items


class ShadowList(msgspec.Struct, frozen=True, tag_field="kind", tag="shadow"):
    """A candidate's ranks of the items of a shown list. seconds: that it took; problem: why there are no ranks, "" if there are;
    items: as shown; ranks: of each among all candidates, from 0, by the candidate."""

    request_id: Name
    user_id: Id
    model: Name
    candidate: Whole
    seconds: float
    problem: str
    items: _Items
    ranks: Annotated[tuple[Whole, ...], Meta(max_length=MAX_SLATE)]


class DecisionRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="decision"):
    """A change of labels. ts: wall time, ms; text: what and why, in one line; labels: label → version from then on."""

    model: Name
    ts: Whole
    text: str
    labels: Mapping[str, int]


class SliceRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="slice"):
    """Prequential scores of one slice. slice: its number, the same where it comes again after a crash; ts: wall time, ms; lists,
    users: of which something was liked; ndcg10: ranker → mean over users. What was shown favours the version that ranked."""

    model: Name
    slice: Whole
    ts: Whole
    lists: Whole
    users: Whole
    ndcg10: Mapping[str, float]


ScoreRecord = InterleavedList | ShadowList | DecisionRecord | SliceRecord

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[ScoreRecord] = msgspec.json.Decoder(ScoreRecord)


def write_score(record: ScoreRecord) -> bytes:
    """The JSON of a record."""
    return _encoder.encode(record)


def read_score(value: bytes) -> ScoreRecord:
    """One value of the topic `scores`. Raises BadEvent for anything that the contract does not allow."""
    if len(value) > SCORE_LIMIT:
        raise BadEvent("scores", f"at most {SCORE_LIMIT} bytes", f"{len(value)} bytes")
    record = read_json(_decoder, value, "scores")
    if isinstance(record, ShadowList) and not record.problem and len(record.ranks) != len(record.items):
        raise BadEvent("ranks", f"{len(record.items)} ranks, one an item", str(len(record.ranks)))
    return record
