"""Replay: a data set's events in event-time order into the log of a running home."""
