"""Loaded versions of models: how they are loaded, warmed up, leased, and run on requests."""
