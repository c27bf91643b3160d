"""Weights that have learned become a candidate for the judge."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from features.errors import Broken, MartletError
from features.types import Millis
from infra.home.paths import Home
from infra.learning.enough_memory import FreeMemory
from infra.learning.learner_files import LearnerFiles
from infra.learning.learner_state import ATTEMPTS, KILLED, MAX_PUBLISHED, LearnerState, SavedState
from infra.learning.learning_rules import publication_waits_for, surplus
from infra.learning.slice_run import LearningSteps
from infra.system.times import wall_ms
from models.registry import Labels, discard, list_versions, published_as, read_labels, read_manifest
from online.ranking.policy import Learning

RETAINED: Final = 3
"""Versions, the newest ones, that are never removed."""


def discard_surplus(models: Path, state: LearnerState) -> None:
    """Remove the versions that the learner made and nobody needs any more."""

    def labels() -> Labels:
        return read_labels(models, state.model) or Labels()

    for old in surplus(state, list_versions(models, state.model), labels(), RETAINED):
        with suppress(MartletError):  # another process may have labelled it, or removed it
            discard(models, state.model, old, lambda: labels().named().values())


class Publication:
    """Publishes the weights of one home's learner. at_once: they don't wait for their time."""

    def __init__(
        self,
        home: Home,
        learning: Learning,
        saved: SavedState,
        files: LearnerFiles,
        steps: LearningSteps,
        memory: FreeMemory,
        at_once: bool,
    ) -> None:
        self._models, self._model = home.models, saved.value.model
        self._learning, self._saved, self._files, self._steps = learning, saved, files, steps
        self._memory, self._at_once = memory, at_once

    def publish(self) -> bool:
        """Hold the weights to the gate, and publish them where they pass, once they are due; whether they were."""
        now, state = wall_ms(), self._saved.value
        labels = read_labels(self._models, self._model) or Labels()
        last = msgspec.structs.replace(state, published_at=0) if self._at_once else state
        waits = publication_waits_for(last, labels, self._learning, now) is not None
        if waits or not self._memory.is_enough():
            return False
        if state.publish_attempts >= ATTEMPTS:
            self._give_up(KILLED, now)
            return True
        try:
            folder = self._files.start(state)
            with self._saved.attempt(publish_attempts=state.publish_attempts + 1, published_at=now):
                self._steps.publish(folder)
            version = self.version()
            if version is None:
                raise Broken(f"{folder} was published, and is no version of {self._model}")
        except Broken as error:  # the gate's refusal, or weights that are not whole
            self._give_up(str(error), now)
            return True
        except (MartletError, OSError) as error:  # they may be as good as any: memory or disk did not do
            self._try_again(str(error), now)
            return True
        self.note(version)
        discard_surplus(self._models, self._saved.value)
        return True

    def version(self) -> int | None:
        """The version that has the weights as they are now; None where they are not published."""
        if not self._saved.value.weights:
            return None
        try:
            digests = read_manifest(self._files.start(self._saved.value)).digests
        except MartletError:  # the slice, or the publication, says what is wrong with them
            return None
        return published_as(self._models, self._model, digests)

    def note(self, version: int) -> None:
        """Note that a version has the weights as they are now."""
        now, state = wall_ms(), self._saved.value
        published = dict(sorted({**state.published, version: state.weights}.items())[-MAX_PUBLISHED:])
        noted = msgspec.structs.replace(
            state,
            published=published,
            candidate=version,
            published_at=now,
            publish_attempts=0,
            known=max(state.known, version),
        )
        self._saved.commit(noted.with_text(f"version {version} has the weights after slice {state.weights}", now))

    def _try_again(self, reason: str, now: Millis) -> None:
        """Weights that could not be published are tried again when the next candidate is due, and given up after ATTEMPTS."""
        state = self._saved.value
        if state.publish_attempts >= ATTEMPTS:
            self._give_up(f"{reason}, {ATTEMPTS} times", now)
            return
        text = f"weights after slice {state.weights} were not published: {reason}; it is tried again"
        self._saved.commit(state.with_text(text, now))

    def _give_up(self, reason: str, now: Millis) -> None:
        """Weights that the gate refuses are given up: they begin anew with the version that ranks."""
        state = self._saved.value
        given_up = msgspec.structs.replace(
            state,
            weights=0,
            origin=None,
            candidate=None,
            published_at=now,
            publish_attempts=0,
            totals=state.counted(refused=1),
        )
        self._saved.commit(given_up.with_text(f"weights after slice {state.weights} are given up: {reason}", now))
        self._files.clean(given_up)
