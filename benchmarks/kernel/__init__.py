"""Benchmarks of the fold without the job around it."""
