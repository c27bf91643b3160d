"""Writes to Redis: coalesced per key, fenced by generation and offset, sent in batches."""
