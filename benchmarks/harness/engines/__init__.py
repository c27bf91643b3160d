"""Kafka, Redis and Flink that benchmarks start apart from a home, on this machine or on hosts of their own."""
