"""What counters of Prometheus stand at, read as they are published."""

from prometheus_client import Counter


def count_of(counter: Counter) -> float:
    """Returns what one counter has counted. counter: without labels, or one of those with values for its labels."""
    (value,) = (
        sample.value for family in counter.collect() for sample in family.samples if sample.name.endswith("_total")
    )
    return float(value)
