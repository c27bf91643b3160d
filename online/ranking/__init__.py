"""Ranking: scores of candidates from the freshest features, by models behind TensorFlow Serving's protocol."""
