"""Kafka: the producer that answers after the broker's acknowledgement, and the logs it writes."""
