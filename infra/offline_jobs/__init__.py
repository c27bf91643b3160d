"""Offline commands (Spark, training, evaluation), run for a home as processes of their own."""
