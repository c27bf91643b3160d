"""Shared parts of the benchmarks: homes, traffic, observation, and the report of several runs."""
