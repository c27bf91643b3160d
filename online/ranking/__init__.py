"""Ranking: candidates and the freshest features → scores, by a model behind TensorFlow Serving's protocol."""
