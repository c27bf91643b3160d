"""The judge's loop: reads the log, counts lists, and changes the registry's labels by the rules."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import TopicPartition
from kafka.errors import KafkaError

from features.contracts.events import read_event
from features.contracts.scores import DecisionRecord, read_score
from features.durable import write_secret
from features.engines.kafka_address import KafkaAddress
from features.engines.kafka_consumer import closed_on_failure, open_consumer
from features.errors import BadEvent, Broken, Unavailable
from features.ids import OuterId
from features.keys import EVENTS, SCORES
from features.schema.tables import Schema
from features.types import FORGET_USER, Millis
from infra.judging.outcomes import CountedList, Evidence, Joined, JudgeState
from infra.judging.read_times import ReadTimes
from infra.judging.rules import decide
from infra.judging.score_topic import KAFKA_MS, append_score
from infra.system.readiness import read_readiness
from infra.system.times import wall_ms
from models.registry import Labels, change_labels, fitting_versions, list_models, list_versions, read_labels
from online.ranking.policy import NO_SERVING, read_serving
from online.support.reloadable_file import ReloadableFile

POLL_MS: Final = 500
SAVE_EVERY_S: Final = 30.0
READ_API_EVERY_S: Final = 10.0
AWAY_S: Final = 60.0
"""Seconds after which another version that ranks in the stable one's stead becomes the stable one."""
LATE_MS: Final = 2_000
"""The time by which a list's window is longer, for acts that the broker took just before its end."""
_decoder = msgspec.json.Decoder(JudgeState)
NOTHING: Final[dict[str, object]] = {"stable": None, "candidate": None, "last_good": None, "proved": True}
"""Labels of a model whose versions are not judged."""
_OF_LISTS: Final = b'"request_id"', b'"undo"', b'"forget_user"'
"""One of these is in each event that says something of a list, or of what is held of a user."""


class Judge:
    """The judge of one home.

    models      the model base, whose labels it changes
    state_file  what it has counted, and how far it has read
    serving     serving.json, whose `judge` says how
    kafka       where the home's log is
    api         the API's URL
    """

    def __init__(
        self, models: Path, state_file: Path, serving: Path, kafka: KafkaAddress, api: str, schema: Schema
    ) -> None:
        self._models, self._state_file, self._api, self._schema = models, state_file, api, schema
        self._kafka = kafka
        self._serving = ReloadableFile(str(serving), read_serving, NO_SERVING)
        self._offsets: dict[str, dict[int, int]] = {}
        self._joined, self.evidence = Joined(), Evidence()
        self._consumer: Any = None
        self._read_times = ReadTimes()
        self._read_api_at: dict[str, float] = {}
        self._away_since: dict[tuple[str, int | None], float] = {}
        """Since when a stable version does not rank, by model and version."""
        self._fitting: dict[str, tuple[list[int], list[int]]] = {}
        """Model → its versions on disk, and those of them that can rank."""
        self._saved = time.monotonic()
        self._last_saved: tuple[dict[str, dict[int, int]], dict[OuterId, Millis]] = {}, {}
        self._printed = 0, 0
        self._problem = ""

    def run(self) -> None:
        """Judge for ever. Raises Broken where the state can't be read; while Kafka is away it waits."""
        self.load()
        while True:
            try:
                self.step()
            except KafkaError as error:
                print(f"Kafka: {error}", flush=True)
                self._close()
                time.sleep(1)

    def step(self) -> None:
        """Read what has come, count the lists whose window is over, decide, and save now and then. Raises KafkaError."""
        self._serving.refresh()
        judging = self._serving.value.judging
        if judging is None:
            time.sleep(POLL_MS / 1000)
            return
        read = self._read() - LATE_MS
        for record, liked in self._joined.close(read - int(judging.window_s * 1000), read):
            self.evidence.count(record, liked)
        for name in list_models(self._models):
            with suppress(Broken):  # labels that can't be read: the API says so
                self._judge(name)
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            self.save()

    def _judge(self, name: str) -> None:
        labels, versions = read_labels(self._models, name), list_versions(self._models, name)
        stable = labels.stable if labels is not None and labels.stable in versions else None
        if labels is None or stable is None or self._is_away(name, stable):
            self._adopt(name, stable)
            return
        now = wall_ms()
        after = decide(name, labels, self._rankable(name, versions), self.evidence, now)
        if after == labels:
            return
        changed = change_labels(self._models, name, lambda found: after if found == labels else found)
        if changed == after:
            self._announce(name, after)
        self._forget_others(name, changed)

    def _rankable(self, name: str, versions: list[int]) -> list[int]:
        """Those of a model's versions on disk that can rank; the files are read anew where there are others than before."""
        before = self._fitting.get(name)
        if before is None or before[0] != versions:
            before = self._fitting[name] = versions, fitting_versions(self._models, name, self._schema.digest)
        return before[1]

    def _is_away(self, name: str, stable: int | None) -> bool:
        """Whether another version than the stable one has ranked for AWAY_S, since the API refuses that."""
        now = time.monotonic()
        if now >= self._read_api_at.get(name, 0.0):
            self._read_api_at[name] = now + READ_API_EVERY_S
            if self._ranking().get(name, stable) == stable:
                self._away_since.pop((name, stable), None)
            else:
                self._away_since.setdefault((name, stable), now)
        return now - self._away_since.get((name, stable), now) >= AWAY_S

    def _ranking(self) -> dict[str, int]:
        """Model → the version that ranks, as the API says; nothing where it does not answer."""
        try:
            found = read_readiness(self._api, timeout=1.0).ranking
        except Unavailable as error:
            self._print_once(f"{self._api} does not say what ranks: {error}")
            return {}
        self._print_once("")
        return found

    def _print_once(self, problem: str) -> None:
        """Print a problem unless it is the one of before."""
        if problem and problem != self._problem:
            print(problem, flush=True)
        self._problem = problem

    def _adopt(self, name: str, away: int | None) -> None:
        """Label what ranks now as stable, once the API says what that is, in place of `away`, which does not rank; not where
        another one has been labelled meanwhile."""
        version = self._ranking().get(name)
        if version is None or version not in list_versions(self._models, name):
            return
        text = f"{version} is stable: it is what ranks, and no version that was stable before can"
        fresh = NOTHING | {"stable": version}

        def adopted(found: Labels) -> Labels:
            lost = tuple(each for each in found.lost if each != version)
            return found.decided(wall_ms(), text, **fresh, lost=lost) if found.stable == away else found

        changed = change_labels(self._models, name, adopted)
        if changed.stable == version:
            self._announce(name, changed)
        self._away_since.pop((name, away), None)

    def _forget_others(self, name: str, labels: Labels) -> None:
        lost = {f"{name}:{version}" for version in labels.lost}
        self.evidence.retain(name, labels.stable, labels.candidate, lost)

    def _announce(self, name: str, labels: Labels) -> None:
        """Print the newest decision, and log it to the topic `scores`; the labels stand in any case."""
        decision = labels.decisions[-1]
        print(f"{name}: {decision.text}", flush=True)
        record = DecisionRecord(name, decision.ts, decision.text, labels.named())
        try:
            append_score(self._kafka, record)
        except KafkaError as error:
            print(f"{name}: the decision is not in the topic {SCORES}: {error!r}", flush=True)

    def _read(self) -> int:
        """Take in what has come; returns the time (broker's, ms) up to which everything was read. Raises KafkaError."""
        if self._consumer is None:
            self._consumer = self._open()
        self._read_times.refresh(self._consumer)
        polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=5000)
        for part, records in polled.items():
            for record in records:
                self._take(part.topic, record.value or b"", record.timestamp)
            self._offsets[part.topic][part.partition] = records[-1].offset + 1
        return self._read_times.earliest(self._consumer, polled)

    def _take(self, topic: str, value: bytes, ts: int) -> None:
        try:
            if topic == self._kafka.topic(SCORES):
                record = read_score(value)
                if isinstance(record, CountedList):
                    self._joined.add_list(record, ts)
            elif any(each in value for each in _OF_LISTS):
                event = read_event(value, self._schema)
                if event.kind == FORGET_USER:
                    self._joined.forget_user(event.outer_user, ts)
                    self.evidence.forget_user(event.outer_user)
                self._joined.add_act(event, self._schema, ts)
        except BadEvent:  # rejected by the job, too
            self._joined.unreadable += 1

    def _open(self) -> Any:
        """A consumer at the offsets noted; at the end of what it has never read. Raises KafkaError."""
        opened = open_consumer(
            self._kafka, auto_offset_reset="earliest",
            bootstrap_timeout_ms=KAFKA_MS, request_timeout_ms=KAFKA_MS,
        )  # fmt: skip
        scores, events = map(self._kafka.topic, (SCORES, EVENTS))
        numbers = range(self._kafka.partitions)
        parts = [TopicPartition(scores, 0), *(TopicPartition(events, number) for number in numbers)]
        with closed_on_failure(opened) as consumer:
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            for part in parts:
                noted = self._offsets.setdefault(part.topic, {})
                consumer.seek(part, noted.setdefault(part.partition, ends[part]))
        return opened

    def load(self) -> None:
        """Read what was counted before. Raises Broken where it can't be read."""
        try:
            state = _decoder.decode(self._state_file.read_bytes())
        except FileNotFoundError:
            return
        except (msgspec.DecodeError, OSError) as error:
            expected = f"expected what a judge has counted, got {error}; remove it to begin anew"
            raise Broken(f"{self._state_file}: {expected}") from error
        self._offsets, self._joined, self.evidence = state.offsets, state.joined(), state.evidence()

    def save(self) -> None:
        """Write what was counted, and how far was read, in one step, where something was read, or who was forgotten is held no
        more; it says what people liked, so its owner alone may read it. Print what was counted early or could not be read."""
        self._saved = time.monotonic()
        if (self._offsets, self._joined.forgotten) == self._last_saved:
            return
        state = JudgeState.of(self._offsets, self._joined, self.evidence)
        write_secret(self._state_file, msgspec.json.encode(state))
        offsets = {topic: dict(parts) for topic, parts in self._offsets.items()}
        self._last_saved = offsets, dict(self._joined.forgotten)
        lost = self._joined.early, self._joined.unreadable
        if lost != self._printed:
            print(
                f"so far {lost[0]} lists and acts too many were counted early, {lost[1]} records unreadable", flush=True
            )
            self._printed = lost

    def _close(self) -> None:
        """Leave the consumer; what it read and did not count is held by offsets and open lists."""
        if self._consumer is not None:
            with suppress(KafkaError):
                self._consumer.close()
            self._consumer = None


def begin(state_file: Path) -> None:
    """Note that versions are judged from now on, for `release`."""
    if not state_file.exists():
        write_secret(state_file, msgspec.json.encode(JudgeState.of({}, Joined(), Evidence())))


def release(models: Path, state_file: Path) -> None:
    """Where judging is off that was on, the newest version ranks that has not lost: take the other labels from all models, and
    remove what was counted. Nothing is done where no judge has run: labels may come from a copy of the home that judges."""
    if not state_file.exists():
        return
    text = "judging is off: the newest version ranks that has not lost"
    for name in list_models(models):
        with suppress(Broken):
            labels = read_labels(models, name)
            if labels is not None and labels.stable is not None:
                change_labels(models, name, lambda found: found.decided(wall_ms(), text, **NOTHING))
    state_file.unlink()
