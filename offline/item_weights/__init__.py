"""Weights between items that a history gives: EASE and ordered co-visits."""
