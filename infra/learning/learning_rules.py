"""When a slice ends, when weights become a candidate, with which version they begin, when all is made anew: pure functions of
state, settings, labels and time."""

from collections.abc import Collection
from typing import Final

import msgspec

from features.types import Millis
from features.units import DAY_MS, HOUR_MS, MINUTE_MS
from infra.learning.learner_state import LearnerState
from models.registry import Labels
from online.ranking.policy import MAX_POSITIVES, Learning

MIN_POSITIVES: Final = 8
"""A slice with fewer goes on: nothing can be measured on it."""
MAX_RECORDS: Final = 50_000
"""Samples of one slice at most, liked or not, so that reading it is bounded."""
ANEW_REST_MS: Final = 12 * HOUR_MS
"""Between two makings of everything anew, whatever the clock does."""
SHADOW_REST_MS: Final = DAY_MS
"""So long after a candidate came, or the learner published, it publishes beside one that still shadows."""
RENEWAL_REST_MS: Final = 10 * MINUTE_MS
"""After a making anew that failed, before it is tried again."""


def slice_is_over(positives: int, records: int, seconds: float, learning: Learning) -> bool:
    """Whether what has come is a slice. seconds: since its first like."""
    if records >= MAX_RECORDS or positives >= learning.positives:
        return True
    return positives >= MIN_POSITIVES and seconds >= learning.slice_s


def slice_is_full(positives: int, records: int) -> bool:
    """Whether a slice takes no more, however much there is."""
    return records >= MAX_RECORDS or positives >= MAX_POSITIVES


def with_clock(state: LearnerState, now: Millis) -> LearnerState:
    """The state with no time after now: a clock that was ahead and went back must not stop the learner for as long."""
    return msgspec.structs.replace(
        state,
        published_at=min(state.published_at, now),
        anew_at=min(state.anew_at, now),
        begun_at=min(state.begun_at, now),
        renewal_failed_at=min(state.renewal_failed_at, now),
    )


def next_origin(state: LearnerState, versions: Collection[int], labels: Labels) -> tuple[int, str] | None:
    """(version, reason) of another version that the weights are to begin with; None: they go on as they are. A version that
    somebody else published is taken where it is newer than all known ones; after a verdict against what the learner published,
    or began with, the version that ranks."""
    fit = [each for each in labels.order(sorted(versions)) if each not in labels.lost]
    others = [each for each in fit if each not in state.published]
    if others and max(others) > state.known:
        return max(others), "it is the newest that others have made"
    for each in (state.candidate, state.origin):
        if each is not None and each in labels.lost and fit:
            return fit[0], f"{each} has lost"
    if fit and state.origin is None:
        return fit[0], "it ranks"
    return None


def began_with(state: LearnerState, version: int, since: Millis, versions: Collection[int]) -> LearnerState:
    """The state once weights begin with a version, which has learned up to the time `since`."""
    return msgspec.structs.replace(
        state, origin=version, since=since, weights=0, candidate=None, known=max([state.known, *versions])
    )


def publication_waits_for(state: LearnerState, labels: Labels, learning: Learning, now: Millis) -> str | None:
    """What the weights wait for before they become a candidate; None: they are due. A candidate that is being tried is not
    replaced: a newer one each hour would never have been tried. One that still shadows after a day may be one that nothing
    ranks: the judge decides whether a newer one takes its place, or waits on the disk."""
    if not state.weights or state.published.get(state.candidate or 0) == state.weights:
        return "weights that have learned"
    if labels.stable is None:
        return "the judge to name the version that ranks"
    since = max([state.published_at, *(each.ts for each in labels.decisions[-1:])])
    if labels.candidate is not None and (labels.phase == "trial" or now - since < SHADOW_REST_MS):
        return f"the verdict on {labels.candidate}"
    if not labels.proved:
        return f"the proof of {labels.stable}"
    if now - state.published_at < 1000 * learning.publish_s:
        return "the time between two candidates"
    return None


def anew_is_due(state: LearnerState, learning: Learning, now: Millis) -> bool:
    """Whether everything is to be made anew from the log, or what has begun goes on. An hour in which the learner did not run, or
    lacked memory, is made up for."""
    if state.renewing is not None:
        return now - state.renewal_failed_at >= RENEWAL_REST_MS
    if learning.anew_hour is None or now - state.anew_at < ANEW_REST_MS:
        return False
    hour = now // DAY_MS * DAY_MS + learning.anew_hour * HOUR_MS
    return max(state.anew_at, state.begun_at) < (hour if hour <= now else hour - DAY_MS)


def surplus(state: LearnerState, versions: Collection[int], labels: Labels, retained: int) -> list[int]:
    """Versions that may go, oldest first: those that the learner published or had made anew, without a label, and not among the
    `retained` newest ones."""
    newest = sorted(versions)[-retained:]
    named = {*labels.named().values(), state.origin}
    own = {*state.published, *state.anew} - named - {*newest}
    return sorted(own & {*versions})
