"""Recall: a few hundred candidates out of all items, by several channels. A new channel is one new class in a file here, or a
new signal in `features.signals` if rankers should read it too."""

from features.signals import SIGNALS
from online.recall.channel import Query, Recall
from online.recall.merge import Candidates, merge
from online.recall.signal import PopularRecall, SignalRecall

CHANNELS: tuple[Recall, ...] = tuple(
    PopularRecall() if name == PopularRecall.name else SignalRecall(name) for name in SIGNALS
)

__all__ = ["CHANNELS", "Candidates", "Query", "Recall", "merge"]
