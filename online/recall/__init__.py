"""Recall: a few hundred candidates out of all items, by several channels. A new channel is one new class in a file here."""

from online.recall.channel import Query, Recall
from online.recall.genre import GenreRecall
from online.recall.merge import Candidates, merge
from online.recall.popular import PopularRecall
from online.recall.similar import SimilarRecall

CHANNELS: tuple[Recall, ...] = (SimilarRecall(), GenreRecall(), PopularRecall())
"""In the order in which they fill the candidate list."""

__all__ = ["CHANNELS", "Candidates", "Query", "Recall", "merge"]
