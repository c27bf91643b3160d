"""The learner's cycle: a slice is scored and learned, weights become a candidate, and once a day all is made anew of the log.

This module has the slices, `publication` the candidates, `making_anew` the rest.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from kafka.errors import KafkaError

from features.contracts.scores import SliceRecord
from features.engines.kafka_address import KafkaAddress
from features.errors import Broken, MartletError, Unavailable
from features.schema.tables import Schema
from infra.home.paths import Home
from infra.judging.score_topic import append_score
from infra.learning.enough_memory import FreeMemory, lacks_free_memory
from infra.learning.learner_files import LearnerFiles
from infra.learning.learner_service import learner_lock
from infra.learning.learner_state import ATTEMPTS, FILE, KILLED, RECENT, LearnedSlice, LearnerState, SavedState
from infra.learning.learning_rules import (
    MIN_POSITIVES,
    began_with,
    next_origin,
    slice_is_full,
    slice_is_over,
    with_clock,
)
from infra.learning.making_anew import MakingAnew
from infra.learning.pending_samples import PendingSamples
from infra.learning.publication import Publication
from infra.learning.slice_run import LearningSteps
from infra.services.model_server_config import FIRST_MODELS
from infra.system.times import wall_ms
from models.registry import Labels, list_versions, read_labels, read_manifest, version_folder
from online.ranking.policy import Learning

OUTAGE_REST_S: Final = 30.0
"""Seconds before a slice is tried again for which something was unavailable."""


class Learner:
    """The learner of one home, for one process at a time (`learner_lock`). once: a slice is over when it has anything, and
    publications don't wait for their time."""

    def __init__(
        self,
        home: Home,
        learning: Learning,
        kafka: KafkaAddress,
        schema: Schema,
        steps: LearningSteps,
        print_line: Callable[[str], None],
        once: bool = False,
        lacks_memory: Callable[[], str | None] = lacks_free_memory,
    ) -> None:
        """lacks_memory: says what memory is lacking for a step. Raises Broken for a state that can't be read."""
        self._home, self._learning, self._kafka, self._steps = home, learning, kafka, steps
        self._print_line, self._once = print_line, once
        self._model = model_of(learning)
        self._files = LearnerFiles(home, self._model)
        self._saved = SavedState(home.path / FILE, self._model, print_line)
        self._memory = FreeMemory(print_line, once, lacks_memory)
        self._publication = Publication(home, learning, self._saved, self._files, steps, self._memory, once)
        self._making_anew = MakingAnew(home, learning, self._saved, steps, self._memory)
        self._failure: MartletError | None = None
        """Why the newest slice was not learned, where it was not."""
        self._rests_until = 0.0
        """Monotonic s; until then no slice is tried again."""
        self._pending = PendingSamples(kafka, schema, self.state.offsets, self.state.floors, print_line)

    @property
    def state(self) -> LearnerState:
        return self._saved.value

    def step(self, timeout_ms: int) -> bool:
        """Read what has come, and do what is due; whether anything was. Raises KafkaError."""
        self._pending.read(timeout_ms)
        with learner_lock(self._home, self._print_line):
            self._steps.stop_leftover()
            return not self._reload() and self._do_due()

    def once(self) -> bool:
        """Read all that has come, and learn it, as `learn --once` does; whether there was anything. Raises KafkaError; Broken
        where it could not be learned, Unavailable where too little memory is free, or what it needs is away."""
        with learner_lock(self._home, self._print_line):
            self._steps.stop_leftover()
            self._reload()
            self._pending.read_all()
            self._failure = None
            is_done = self._do_due()
        if self._failure is not None:
            raise self._failure
        return is_done

    def _reload(self) -> bool:
        """Take over what another process has learned meanwhile; whether there was anything."""
        if not self._saved.reload():
            return False
        self._pending.begin(self.state.offsets, self.state.floors)
        return True

    def _do_due(self) -> bool:
        self._saved.value = with_clock(self.state, wall_ms())
        self._forget()
        versions = list_versions(self._home.models, self._model)
        labels = read_labels(self._home.models, self._model) or Labels()
        if (origin := next_origin(self.state, versions, labels)) is not None:
            if origin[0] == self._publication.version():  # this was killed just after it had published
                self._publication.note(origin[0])
            else:
                self._begin_with(*origin)
        is_done = False
        if self.state.origin is not None:  # else no version to go on from yet, which making all anew may make
            is_done = self._learn_slice() | self._publication.publish()
        return is_done | (not self._once and self._making_anew.step())

    def close(self) -> None:
        self._pending.close()

    def _forget(self) -> None:
        """Remove the lists that would come again, as soon as somebody wants to be forgotten: whatever comes of the slice."""
        if not self._pending.forgets:
            return
        state = msgspec.structs.replace(self.state, replayed=())
        self._files.clean(state)  # first: whoever is killed between the two finds the wish again
        if self.state.replayed:
            self._saved.commit(state)

    def _begin_with(self, version: int, reason: str) -> None:
        versions = list_versions(self._home.models, self._model)
        try:
            manifest = read_manifest(version_folder(self._home.models, self._model, version))
        except MartletError as error:  # it is not considered again, unless it is the one that ranks
            if version > self.state.known:
                state = msgspec.structs.replace(self.state, known=version)
                self._saved.commit(state.with_text(f"does not go on from version {version}: {error}", wall_ms()))
            return
        state = began_with(self.state, version, manifest.data.to_ms, versions)
        self._saved.commit(state.with_text(f"goes on from version {version}: {reason}", wall_ms()))

    def _is_over(self) -> bool:
        pending = self._pending
        if self._once:
            return pending.positives >= MIN_POSITIVES or slice_is_full(pending.positives, pending.records)
        return slice_is_over(pending.positives, pending.records, pending.seconds, self._learning)

    def _learn_slice(self) -> bool:
        if time.monotonic() < self._rests_until or not (self._is_over() and self._memory.is_enough()):
            return False
        number, attempts = self.state.slice + 1, self.state.attempts
        try:
            if attempts >= ATTEMPTS:
                raise Broken(KILLED)
            with self._saved.attempt(attempts=attempts + 1), self._files.work() as work:
                after = self._one_slice(number, work)
        except Unavailable as error:  # which says nothing of the slice
            self._rests_until = time.monotonic() + OUTAGE_REST_S
            same = msgspec.structs.replace(self.state, attempts=attempts)
            after = same.with_text(f"slice {number} was not learned: {error}; it is tried again", wall_ms())
            self._failure = Unavailable(after.text)
        except (MartletError, OSError) as error:  # a full disk, too
            after = self._after_failure(f"slice {number} was not learned: {error}")
            self._failure = Broken(after.text)
        self._saved.commit(after)
        self._files.clean(after)
        if after.slice == number:
            self._pending.begin(after.offsets, after.floors)
        return True

    def _after_failure(self, text: str) -> LearnerState:
        """The state after an attempt at a slice that failed: tried again, or given up after ATTEMPTS; then the weights are
        suspected, too, and begin anew with the version that ranks."""
        state = self.state
        if state.attempts < ATTEMPTS:
            time.sleep(1)
            return state.with_text(f"{text}; it is tried again", wall_ms())
        state = self._passed(state, state.slice + 1)
        state = msgspec.structs.replace(state, totals=state.counted(skipped=1), weights=0, origin=None, candidate=None)
        return state.with_text(f"{text}; it is given up after {ATTEMPTS} attempts", wall_ms())

    def _passed(self, state: LearnerState, number: int) -> LearnerState:
        """The state with this slice done."""
        offsets, floors = self._pending.after()
        return msgspec.structs.replace(state, slice=number, offsets=offsets, floors=floors, attempts=0)

    def _one_slice(self, number: int, work: Path) -> LearnerState:
        """Score and learn what is pending; the state after it. Raises MartletError."""
        began, files = time.monotonic(), self._files
        state = self.state
        start = files.start(state)
        new = work / "new"
        made = self._steps.make_lists(start, self._pending.spans(), state.since, new)
        result = None
        if made.lists:
            files.replay(new, state, work / "whole")
            result = self._steps.learn(start, work, state.since)
        learned = LearnedSlice(
            slice=number,
            ts=wall_ms(),
            lists=made.lists,
            users=made.users,
            left_out=made.left_out,
            learned=0 if result is None else result.learned,
            ndcg10={} if result is None else result.ndcg10,
            seconds=round(time.monotonic() - began, 1),
            megabytes=0 if result is None else result.megabytes,
        )
        settled = {new: files.lists(number)}
        if learned.learned:
            settled[work / "out" / "version"] = files.weights(number)
        files.settle(settled)
        self._append_scores(learned)
        return self._after_slice(state, learned)

    def _after_slice(self, state: LearnerState, learned: LearnedSlice) -> LearnerState:
        state = self._passed(state, learned.slice)
        state = msgspec.structs.replace(
            state,
            weights=learned.slice if learned.learned else state.weights,
            replayed=self._files.to_replay((*state.replayed, learned.slice)),
            recent=(*state.recent, learned)[-RECENT:],
            totals=state.counted(slices=1, lists=learned.lists, left_out=learned.left_out),
        )
        scores = ", ".join(f"{title} {value:.4f}" for title, value in learned.ndcg10.items())
        out = f", {learned.left_out} left out as too many of one user" if learned.left_out else ""
        text = (
            f"slice {learned.slice}: {learned.lists} lists of {learned.users} users{out}; NDCG@10 before: {scores or 'none'}; "
            f"learned from {learned.learned} in {learned.seconds} s"
        )
        return state.with_text(text, wall_ms())

    def _append_scores(self, learned: LearnedSlice) -> None:
        if not learned.ndcg10:
            return
        record = SliceRecord(
            model=self._model, slice=learned.slice, ts=learned.ts, lists=learned.lists, users=learned.users,
            ndcg10=learned.ndcg10,
        )  # fmt: skip
        try:
            append_score(self._kafka, record)
        except KafkaError as error:
            self._print_line(f"the scores of slice {learned.slice} are not in the topic: {error!r}")


def model_of(learning: Learning) -> str:
    """The model that learns."""
    return learning.model or FIRST_MODELS[0]
