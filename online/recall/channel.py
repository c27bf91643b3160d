"""What a recall channel is asked and what it answers."""

from typing import Protocol

from features.inputs import Ints
from features.signals import Moment, Signals


class Query:
    """One request as recall and ranking see it: a user at a time, and the signals found so far."""

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.signals = Signals(moment)


class Recall(Protocol):
    """A way to find candidates. `recall` gives rows of the item store, best first, at most `limit`, allowed ones only;
    none where the channel has nothing to say (an unknown user, say)."""

    name: str

    def recall(self, query: Query, limit: int) -> Ints: ...
