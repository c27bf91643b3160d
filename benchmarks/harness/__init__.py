"""What benchmarks share: homes to measure, traffic, what is observed, and the report of several runs."""
