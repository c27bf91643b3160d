"""Outcomes of experiments: counts the shown lists that users acted on, as their events arrive."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from features.schema.tables import Schema, is_act
from features.types import Event
from online.support import metrics

MAX_LISTS = 10_000
"""Newest lists remembered; older ones are unlikely to get any events."""


class ExperimentOutcomes:
    """Remembers the arms of the lists that this process has shown, by request_id, and counts a list once for each outcome."""

    def __init__(self, schema: Schema, limit: int = MAX_LISTS) -> None:
        self._schema = schema
        self._limit = limit
        self._lists: OrderedDict[str, tuple[Mapping[str, str], set[str]]] = OrderedDict()

    def record_shown(self, request_id: str, arms: Mapping[str, str]) -> None:
        """Remember a list that was returned, if it is in an experiment."""
        if not arms:
            return
        self._lists[request_id] = (arms, set())
        if len(self._lists) > self._limit:
            self._lists.popitem(last=False)

    def record_events(self, events: Iterable[Event]) -> None:
        """Count the outcomes of events that the broker has acknowledged."""
        for event in events:
            known = self._lists.get(event.request_id or "")
            if known is None or not is_act(event.kind):
                continue
            arms, counted = known
            outcomes = ("acted", "liked") if self._schema.weight(event.kind, event.centi) > 0 else ("acted",)
            for outcome in outcomes:
                if outcome in counted:
                    continue
                counted.add(outcome)
                for experiment, arm in arms.items():
                    metrics.ACTED.labels(experiment, arm, outcome).inc()
