"""Verify: features recomputed from base and log, compared with what Redis has."""
