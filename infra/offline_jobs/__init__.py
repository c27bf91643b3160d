"""Offline jobs of a home (Spark, training, evaluation), each run as a process of its own."""
