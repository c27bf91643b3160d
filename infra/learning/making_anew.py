"""Once a day everything is made anew from the log."""

from collections.abc import Callable

import msgspec

from features.errors import MartletError
from features.types import Millis
from features.units import MINUTE_MS
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.learning.enough_memory import FreeMemory
from infra.learning.learner_state import ATTEMPTS, KILLED, MAX_PUBLISHED, LearnerState, SavedState
from infra.learning.learning_rules import RENEWAL_REST_MS, anew_is_due
from infra.learning.publication import discard_surplus
from infra.learning.slice_run import LearningSteps
from infra.offline_jobs.renewal import is_of_others, learned_from
from infra.system.times import wall_ms
from models.registry import list_versions
from online.ranking.policy import Learning


class MakingAnew:
    """Makes a home's base, embeddings, training data and the learner's model anew. clock: wall time, ms."""

    def __init__(
        self,
        home: Home,
        learning: Learning,
        saved: SavedState,
        steps: LearningSteps,
        memory: FreeMemory,
        clock: Callable[[], Millis] = wall_ms,
    ) -> None:
        self._home, self._learning, self._saved, self._steps = home, learning, saved, steps
        self._memory, self._clock = memory, clock

    def step(self) -> bool:
        """Make all anew where it is due; whether it was."""
        now, state = self._clock(), self._saved.value
        if not state.begun_at:
            state = msgspec.structs.replace(state, begun_at=now)
            self._saved.commit(state)
        if state.renewing is not None and state.renewal_attempts >= ATTEMPTS:
            self._saved.commit(self._after_failure(state, KILLED))
            return True
        if not (anew_is_due(state, self._learning, now) and self._memory.is_enough()):
            return False
        if state.renewing is None or is_of_others(self._home, state.renewing):
            number = HomeRecord(self._home).free_base_number()
            state = msgspec.structs.replace(state, anew_at=now, renewal_attempts=0, renewing=number)
            self._saved.commit(state.with_text("makes all anew", now))
        try:
            text = self._attempted(now)
        except (MartletError, OSError) as error:
            self._saved.commit(self._after_failure(self._saved.value, f"{error}"))
            return True
        assert state.renewing is not None
        versions = [each for each in list_versions(self._home.models, state.model) if each not in state.anew]
        new = [each for each in versions if learned_from(self._home, state.model, each, state.renewing)]
        done = msgspec.structs.replace(
            self._saved.value,
            renewing=None,
            renewal_attempts=0,
            anew_given_up=0,
            anew_failure="",
            anew=(*state.anew, *new)[-MAX_PUBLISHED:],
        )
        self._saved.commit(done.with_text(text, self._clock()))
        discard_surplus(self._home.models, done)
        return True

    def _attempted(self, now: Millis) -> str:
        """Try to make what was begun; returns what was done, in one line. Raises MartletError or OSError."""
        state = self._saved.value
        assert state.renewing is not None
        with self._saved.attempt(renewal_attempts=state.renewal_attempts + 1, renewal_failed_at=now):
            return self._steps.renew(state.renewing)

    def _after_failure(self, state: LearnerState, why: str) -> LearnerState:
        """The state after an attempt that failed: tried again after a rest, or given up after ATTEMPTS until it is due again, and
        what it had made is removed. Slices go on meanwhile."""
        now, text = self._clock(), f"was not made anew: {why}"
        failed = msgspec.structs.replace(state, renewal_failed_at=now)
        if state.renewal_attempts < ATTEMPTS:
            return failed.with_text(f"{text}; it is tried again after {RENEWAL_REST_MS // MINUTE_MS} minutes", now)
        assert state.renewing is not None
        self._steps.discard_renewal(state.renewing)
        given_up = state.anew_given_up + 1
        return msgspec.structs.replace(failed, renewing=None, anew_given_up=given_up, anew_failure=why).with_text(
            f"{text}; it is given up after {ATTEMPTS} attempts", now
        )
