"""A base on disk: its states, vocabularies, weights between items and embeddings, mapped read-only."""
