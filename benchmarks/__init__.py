"""Benchmarks: programs that print figures. No test asserts an absolute time."""
