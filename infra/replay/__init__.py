"""Replay: sends a data set's events, in event-time order, to the log of a running home."""
