"""Data sets: download, reading, normalisation, and their rows as events in order."""
