"""State of the running home: the job's metrics, the monitor's snapshot, and the replay."""
