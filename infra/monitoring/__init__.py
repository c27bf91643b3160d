"""Monitoring: a snapshot of what flows, alarms on it, and how both are shown."""
