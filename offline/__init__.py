"""Offline: Spark jobs that make bases, training data and embeddings, and the evaluation of lists."""
