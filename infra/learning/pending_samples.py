"""What has come to the topic `samples` since the newest slice: counted, not held."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from features.contracts.samples import Forgotten, Sample, SampleReference, read_sample
from features.engines.kafka_address import KafkaAddress
from features.engines.kafka_consumer import closed_on_failure, open_consumer
from features.errors import BadEvent
from features.ids import OuterId
from features.keys import SAMPLES
from features.schema.tables import Schema, is_act
from features.statistics.likes import ListActs
from features.types import Millis
from infra.judging.score_topic import KAFKA_MS
from infra.learning.learning_rules import slice_is_full
from offline.training_data.reactions import centi_of
from offline.training_data.slice_lists import MAX_WEIGHT, SliceSpans

POLL_RECORDS: Final = 500
EVENTS_OF: Final = 100_000
"""Users whose likes are counted apart; those after them count as one."""


class PendingSamples:
    """The samples from some offsets to as far as they were read.

    positives  likes, of one user no more than count in a slice
    records    samples
    forgets    whether somebody wanted to be forgotten
    """

    def __init__(
        self, kafka: KafkaAddress, schema: Schema, offsets: Mapping[int, int], floors: Mapping[int, Millis],
        print_line: Callable[[str], None], clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._kafka, self._schema, self._clock, self._print_line = kafka, schema, clock, print_line
        self._consumer: Any = None
        self.begin(offsets, floors)

    def begin(self, offsets: Mapping[int, int], floors: Mapping[int, Millis]) -> None:
        """Count from these offsets on."""
        self.close()
        self.offsets, self._floors = dict(offsets), dict(floors)
        self._ends: dict[int, int] = {}
        self._newest = dict(floors)
        self._likes: Counter[OuterId | None] = Counter()
        self._since: float | None = None
        self.records, self.positives, self.forgets = 0, 0, False

    @property
    def seconds(self) -> float:
        """Since the first like was read; 0 where there is none."""
        return 0.0 if self._since is None else self._clock() - self._since

    def spans(self) -> SliceSpans:
        """What was read: (start, end, floor) by partition."""
        return {
            number: (start, self._ends.get(number, start), self._floors.get(number, 0))
            for number, start in sorted(self.offsets.items())
        }

    def after(self) -> tuple[dict[int, int], dict[int, Millis]]:
        """Offsets and floors of what comes next."""
        return {number: self._ends.get(number, start) for number, start in self.offsets.items()}, dict(self._newest)

    def read(self, timeout_ms: int) -> None:
        """Take in what has come, up to a full slice; waits for the first of it. Raises KafkaError."""
        if self._consumer is None:
            self._consumer = self._open()
        while not slice_is_full(self.positives, self.records):
            polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=POLL_RECORDS)
            if not polled:
                return
            for part, records in polled.items():
                for record in records:
                    self._take(part.partition, record.value or b"")
                self._ends[part.partition] = records[-1].offset + 1
            timeout_ms = 0

    def read_all(self, timeout: float = 60.0) -> None:
        """Read to the end of what the log has now, or a full slice, for so many seconds at most. Raises KafkaError."""
        self._consumer = self._consumer or self._open()
        parts = sorted(self._consumer.assignment())
        ends, deadline = self._consumer.end_offsets(parts), self._clock() + timeout
        while self._clock() < deadline and not slice_is_full(self.positives, self.records):
            self.read(200)
            if all(self._ends.get(part.partition, self.offsets[part.partition]) >= ends[part] for part in parts):
                return

    def _take(self, partition: int, value: bytes) -> None:
        self.records += 1
        try:
            sample = read_sample(value)
        except BadEvent:
            return
        if isinstance(sample, Forgotten):
            self.forgets = True
            return
        if sample.closed_ts < self._floors.get(partition, 0):
            return
        self._newest[partition] = max(self._newest.get(partition, 0), sample.closed_ts)
        user = sample.user_id if sample.user_id in self._likes or len(self._likes) < EVENTS_OF else None
        fresh = min(_likes(sample, self._schema), int(MAX_WEIGHT) - self._likes[user])
        if fresh > 0:
            self._likes[user] += fresh
            self.positives += fresh
            self._since = self._since if self._since is not None else self._clock()

    def _open(self) -> Any:
        """A consumer where reading has ended, at the oldest record there is where that is not in the log. Raises KafkaError."""
        opened = open_consumer(
            self._kafka, auto_offset_reset="earliest", bootstrap_timeout_ms=KAFKA_MS, request_timeout_ms=KAFKA_MS
        )
        with closed_on_failure(opened) as consumer:
            self._seek(consumer)
        return opened

    def _seek(self, consumer: Any) -> None:
        parts = [TopicPartition(self._kafka.topic(SAMPLES), number) for number in range(self._kafka.partitions)]
        consumer.assign(parts)
        begins, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
        for part in parts:
            number = part.partition
            noted = self._ends.get(number, self.offsets.get(number))
            if noted is not None and not begins[part] <= noted <= ends[part]:
                self._print_line(
                    f"{SAMPLES}, partition {number}: expected offset {noted}, the log has {begins[part]} to "
                    f"{ends[part]}: goes on at {begins[part]}"
                )
                self._ends.pop(number, None)
                noted = self.offsets[number] = begins[part]
            self.offsets.setdefault(number, begins[part])
            consumer.seek(part, self.offsets[number] if noted is None else noted)

    def close(self) -> None:
        """Leave the consumer; what was counted stays."""
        if self._consumer is not None:
            with suppress(KafkaError):
                self._consumer.close()
            self._consumer = None


def _likes(sample: Sample | SampleReference, schema: Schema) -> int:
    """How many items of a list were liked, about: an act that was undone counts here."""
    acts, name = ListActs(), (sample.user_id, sample.request_id)
    for action in sample.actions:
        code = schema.code_of.get(action.type)
        if code is not None and is_act(code) and isinstance(action.item_id, int):
            acts.add(name, schema, action.event_id, code, centi_of(action), action.item_id)
    return len(acts.liked(name))
