"""Vectors of items, for recall: files that are followed, an index over the item store's rows for each kind, users' vectors."""

from online.vectors.index import VectorIndex
from online.vectors.shelf import Kind, VectorShelf
from online.vectors.tower import UserTower

__all__ = ["Kind", "UserTower", "VectorIndex", "VectorShelf"]
