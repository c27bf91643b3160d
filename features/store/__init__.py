"""Formats in Redis: the job's status, the scripts that write, freshness."""
