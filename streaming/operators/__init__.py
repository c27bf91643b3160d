"""The job's two keyed operators, and the state and timers that they keep."""
