"""Monitoring: snapshots of the data flow, alarms on them, and their presentation."""
