"""Which of the lists shown in experiments were acted on, counted as the events that answer them come in."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from features.types import IMPRESSION, UNDO, Event, is_positive
from online.support import metrics

MAX_LISTS = 10_000
"""Lists remembered, the newest: one that nobody has touched for so long is not touched at all."""


class ExperimentOutcomes:
    """Remembers the arms of the lists that this process has shown, by request_id, and counts a list once for each outcome."""

    def __init__(self, limit: int = MAX_LISTS) -> None:
        self._limit = limit
        self._lists: OrderedDict[str, tuple[Mapping[str, str], set[str]]] = OrderedDict()

    def record_shown(self, request_id: str, arms: Mapping[str, str]) -> None:
        """A list has been answered with; one that is in no experiment is nothing to remember."""
        if not arms:
            return
        self._lists[request_id] = (arms, set())
        if len(self._lists) > self._limit:
            self._lists.popitem(last=False)

    def record_events(self, events: Iterable[Event]) -> None:
        """The broker has acknowledged these."""
        for event in events:
            known = self._lists.get(event.request_id or "")
            if known is None or event.kind == IMPRESSION or event.kind >= UNDO:
                continue
            arms, counted = known
            outcomes = ("acted", "liked") if is_positive(event.kind, event.centi) else ("acted",)
            for outcome in outcomes:
                if outcome in counted:
                    continue
                counted.add(outcome)
                for experiment, arm in arms.items():
                    metrics.ACTED.labels(experiment, arm, outcome).inc()
