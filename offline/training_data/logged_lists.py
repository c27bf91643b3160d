"""Samples of the log with their lists: the topic `samples` joined with what lists were made of, a partition at a time.

A sample says at which offset of its partition of `shown` its list lies. Homes from before have the list in the sample itself, or
whole in `served`. Where a record is not there, the head in `served` still says what was shown, and in which experiments. What a
user did before wanting to be forgotten is left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from features.contracts.samples import Forgotten, Sample, SampleReference, read_sample
from features.contracts.served import Served, read_head_as_list
from features.contracts.shown_lists import read_shown
from features.errors import BadEvent
from features.ids import OuterId
from features.keys import SAMPLES, SERVED, SHOWN
from offline.base.kafka_log import KafkaLog, RetainedLog, Span

T = TypeVar("T")
NO_SAMPLE, NO_RECORD, FORGOTTEN = "no sample", "no record of what was shown", "user forgotten"
"""Why a record of `samples` comes without a list."""
BLOCK: Final = 200
"""Samples whose lists are read together, decoded some 10 to 100 kB each."""
_READERS: Final[Mapping[str, Callable[[bytes], Served]]] = {SHOWN: read_shown, SERVED: read_head_as_list}


@dataclass(frozen=True)
class Spans:
    """The records of one partition: of `samples`, and of the topics in which their lists lie."""

    samples: Span
    shown: Span
    served: Span


def spans_of(log: KafkaLog) -> list[Spans]:
    """All that the log holds now, partition by partition. Raises Unavailable."""
    return [Spans(*each) for each in zip(*(log.spans(topic) for topic in (SAMPLES, SHOWN, SERVED)), strict=True)]


def logged_samples(
    log: RetainedLog, spans: Spans, is_wanted: Callable[[SampleReference], bool] = lambda sample: True
) -> Iterator[Sample | SampleReference | str]:
    """Every sample once, with its list where `is_wanted`; in place of those that have none the reason. A crash of the job may
    write a sample twice. Raises Broken or Unavailable as the log does."""
    forgotten = _forgotten(log, spans.samples)
    for block in _blocks(_known_once(log, spans.samples, forgotten), BLOCK):
        lists = _lists_of(log, spans, [each for each in block if isinstance(each, SampleReference) and is_wanted(each)])
        for each in block:
            if not isinstance(each, SampleReference) or not is_wanted(each):
                yield each
                continue
            served = lists.get((SHOWN, -1 if each.shown is None else each.shown)) or lists.get((SERVED, each.served))
            try:
                yield NO_RECORD if served is None else each.with_list(served)
            except BadEvent:
                yield NO_RECORD


def _forgotten(log: RetainedLog, span: Span) -> dict[OuterId, int]:
    """Users who wanted to be forgotten → the offset of their newest wish."""
    found: dict[OuterId, int] = {}
    for record in log.read(span):
        try:
            sample = read_sample(record.value)
        except BadEvent:
            continue
        if isinstance(sample, Forgotten):
            found[sample.user_id] = record.offset
    return found


def _known_once(
    log: RetainedLog, span: Span, forgotten: Mapping[OuterId, int]
) -> Iterator[Sample | SampleReference | str]:
    """Each sample once: of those that come again, since the job has folded the log anew, the first after the user's newest wish
    to be forgotten."""
    known: set[str] = set()
    for record in log.read(span):
        try:
            sample = read_sample(record.value)
        except BadEvent:
            yield NO_SAMPLE
            continue
        if isinstance(sample, Forgotten) or sample.request_id in known:
            continue
        if record.offset < forgotten.get(sample.user_id, -1):
            yield FORGOTTEN
            continue
        known.add(sample.request_id)
        yield sample


def _lists_of(log: RetainedLog, spans: Spans, samples: Sequence[SampleReference]) -> dict[tuple[str, int], Served]:
    """The lists of samples, as far as the log still holds them, by (topic, offset): what they were made of, else their heads."""
    found: dict[tuple[str, int], Served] = {}
    for span in (spans.shown, spans.served):
        if span.topic == SHOWN:
            wanted = {sample.shown for sample in samples if sample.shown is not None}
        else:
            wanted = {sample.served for sample in samples if (SHOWN, sample.shown) not in found}
        offsets = [offset for offset in wanted if span.start <= offset < span.end]
        if not offsets:
            continue
        start = max(min(offsets), log.first(span))  # the log may have lost some since the span was taken
        for record in log.read(span._replace(start=min(start, max(offsets) + 1), end=max(offsets) + 1)):
            if record.offset in wanted:
                try:
                    found[span.topic, record.offset] = _READERS[span.topic](record.value)
                except BadEvent:  # a head without a record, among others
                    continue
    return found


def _blocks(values: Iterator[T], size: int) -> Iterator[list[T]]:
    while block := list(islice(values, size)):
        yield block
