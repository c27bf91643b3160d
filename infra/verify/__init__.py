"""Verify: recomputes features from base and log, and compares them with Redis."""
