"""Fitting: nets on rows, lists and sequences, with early stopping, checkpoints and warm starts."""
