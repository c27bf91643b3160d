"""Recall: a few hundred candidates from all items, by several channels.

A new channel is one new class in a file here, or a new signal in `features.inputs.signals` if rankers should read it too.
"""

from features.inputs.signals import SIGNALS
from online.recall.channel import Recall
from online.recall.merge import Candidates, ChannelRunner, merge
from online.recall.nearest import VECTOR_CHANNELS
from online.recall.recency import EraRecall, NewestRecall, SessionRecall, TrendingRecall
from online.recall.signal import GivenRecall, NewRecall, PopularRecall, SignalRecall

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
    "Candidates",
    "ChannelRunner",
    "GivenRecall",
    "Recall",
    "merge",
]
