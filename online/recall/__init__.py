"""Recall: a few hundred candidates from all items, by several channels.

A new channel is one new class in a file here, or a new signal in `features.inputs.signals` if rankers should read it too.
"""

from features.inputs.signals import RECALL_SIGNALS
from online.recall.channel import Recall
from online.recall.merge import Candidates, ChannelRunner, merge
from online.recall.nearest import VECTOR_CHANNELS
from online.recall.recency import EraRecall, NewestRecall, SessionRecall, TrendingRecall
from online.recall.signal import PINNED, GivenRecall, NewRecall, PopularRecall, SignalRecall

CORE_CHANNELS: tuple[Recall, ...] = (
    *(PopularRecall() if name == PopularRecall.name else SignalRecall(name) for name in RECALL_SIGNALS),
    NewRecall(),
    SessionRecall(),
    TrendingRecall(),
    NewestRecall(),
    EraRecall(),
)
"""Channels that run for every list; those of `VECTOR_CHANNELS` run while their vectors are there. `CHANNELS` is all of them."""
CHANNELS: tuple[Recall, ...] = (*CORE_CHANNELS, *VECTOR_CHANNELS)

__all__ = [
    "CHANNELS",
    "CORE_CHANNELS",
    "PINNED",
    "VECTOR_CHANNELS",
    "Candidates",
    "ChannelRunner",
    "GivenRecall",
    "Recall",
    "merge",
]
