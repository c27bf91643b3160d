"""Faults, provoked on purpose: docs/faults.md says which."""
