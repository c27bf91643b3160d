"""Processes of a running home die under load: what is noticed of it, and whether all is exact afterwards."""
