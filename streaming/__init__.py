"""The Flink job: users' and items' folds over the log, written to Redis."""
