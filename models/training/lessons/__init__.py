"""What trainings learn from, as arrays: rows, ranking lists, and histories as windows."""
