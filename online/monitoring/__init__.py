"""What the API reads of the running home: the job's numbers, the monitor, the replay."""
