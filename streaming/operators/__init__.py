"""The job's two keyed operators, with their state and timers."""
