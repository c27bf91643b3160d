"""Spark: the session, grouped batches in its workers, and Parquet tables."""
