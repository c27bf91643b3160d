"""What a learner has learned, for people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from features.errors import Broken
from infra.home.paths import Home
from infra.learning.learner_service import serving_of
from infra.learning.learner_state import FILE, LearnedSlice, LearnerState, read_state
from infra.learning.learning_rules import publication_waits_for
from infra.learning.noted_lack import read_lack
from infra.system.times import wall_ms
from models.registry import Labels, read_labels
from online.ranking.policy import Learning

SHOWN: Final = 12
"""Slices that are shown, the newest."""


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def slice_line(learned: LearnedSlice) -> str:
    """A slice in one line."""
    scores = ", ".join(f"{title} {value:.4f}" for title, value in learned.ndcg10.items()) or "none"
    return (
        f"{_utc(learned.ts)}  slice {learned.slice}: {learned.lists} lists of {learned.users} users, {learned.left_out} left "
        f"out; NDCG@10 before: {scores}; learned from {learned.learned} in {learned.seconds} s"
    )


def _not_anew(state: LearnerState, learning: Learning) -> dict[str, Any] | None:
    """How many makings anew in a row were given up, and why the newest was; None where it was not, or none is to be."""
    if learning.anew_hour is None or not state.anew_given_up:
        return None
    return {"given_up": state.anew_given_up, "why": _first_and_last_line(state.anew_failure)}


def _first_and_last_line(text: str) -> str:
    """A message in one line: of one that ends with the end of a log its own words, and the log's last ones.

    >>> _first_and_last_line("training failed; the end of spark.log:\\nat java.lang\\nNo space left on device")
    'training failed; the end of spark.log: No space left on device'
    """
    lines = text.splitlines()
    return " ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))


def learning_report(home: Home) -> dict[str, Any] | None:
    """What a learner has learned, as JSON, the newest slice last; None where nothing learns. What can't be read is `text`."""
    learning = serving_of(home).value.learning
    if learning is None:
        return None
    try:
        state = read_state(home.path / FILE)
    except Broken as error:
        return {"text": str(error), "text_at": 0, "recent": [], "totals": {}}
    if state is None:
        return {"text": "nothing was learned yet", "text_at": 0, "recent": [], "totals": {}}
    return {
        "model": state.model,
        "weights": state.weights,
        "origin": state.origin,
        "published": {str(version): at for version, at in state.published.items()},
        "totals": dict(state.totals),
        "recent": [msgspec.to_builtins(each) for each in state.recent[-SHOWN:]],
        "text": state.text,
        "text_at": state.text_at,
        "not_anew": _not_anew(state, learning),
    }


def state_lines(home: Home) -> Iterator[str]:
    """The newest slices, what was published, what was done last; first what memory the learner lacks where it runs. Raises Broken
    for a state that can't be read."""
    learning = serving_of(home).value.learning
    if learning is None:
        yield 'nothing learns by itself: serving.json has no "learn"'
    elif (lack := read_lack(home)) is not None:
        yield f"nothing is learned, {_utc(lack.at)}: {lack.text}"
    state = read_state(home.path / FILE)
    if state is None:
        yield "nothing was learned yet"
        return
    for each in state.recent[-SHOWN:]:
        yield slice_line(each)
    totals = ", ".join(f"{count} {name}" for name, count in state.totals.items()) or "nothing yet"
    yield f"{state.model}: {totals}; weights after slice {state.weights}, begun with version {state.origin}"
    if state.published:
        yield f"published: {', '.join(f'version {version} after slice {at}' for version, at in state.published.items())}"
    labels = read_labels(home.models, state.model) or Labels()
    if learning is not None and (reason := publication_waits_for(state, labels, learning, wall_ms())) is not None:
        yield f"the next candidate waits for {reason}"
    if learning is not None and (failed := _not_anew(state, learning)) is not None:
        yield f"all was not made anew; given up in a row: {failed['given_up']}, the last time because {failed['why']}"
    if state.text_at:
        yield f"last, {_utc(state.text_at)}: {state.text}"
