"""Kafka: the producer, and the event log, which returns after the broker's acknowledgement."""
