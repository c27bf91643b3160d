"""Embeddings for recall: item vectors, reloaded from files and shared by the processes of a machine, and users' vectors."""

from online.vectors.index import VectorIndex
from online.vectors.user_tower import UserTower
from online.vectors.vector_store import EmbeddingKind, VectorStore

__all__ = ["EmbeddingKind", "UserTower", "VectorIndex", "VectorStore"]
