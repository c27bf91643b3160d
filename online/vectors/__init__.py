"""Vectors of items, for recall: files that are followed, an index over the item store's rows for each kind, users' vectors."""

from online.vectors.index import VectorIndex
from online.vectors.user_tower import UserTower
from online.vectors.vector_store import EmbeddingKind, VectorStore

__all__ = ["EmbeddingKind", "UserTower", "VectorIndex", "VectorStore"]
