"""Recall: a few hundred candidates out of all items, by several channels. A new channel is one new class in a file here, or a
new signal in `features.signals` if rankers should read it too."""

from features.signals import SIGNALS
from online.recall.channel import Recall
from online.recall.lately import EraRecall, NewestRecall, SessionRecall, TrendingRecall
from online.recall.merge import Asking, Candidates, merge
from online.recall.signal import GivenRecall, NewRecall, PopularRecall, SignalRecall
from online.recall.vectors import VECTOR_CHANNELS

SIGNAL_CHANNELS: tuple[Recall, ...] = (
    *(PopularRecall() if name == PopularRecall.name else SignalRecall(name) for name in SIGNALS),
    NewRecall(),
    SessionRecall(),
    TrendingRecall(),
    NewestRecall(),
    EraRecall(),
)
CHANNELS: tuple[Recall, ...] = (*SIGNAL_CHANNELS, *VECTOR_CHANNELS)

__all__ = [
    "CHANNELS",
    "SIGNAL_CHANNELS",
    "VECTOR_CHANNELS",
    "Asking",
    "Candidates",
    "GivenRecall",
    "Recall",
    "merge",
]
