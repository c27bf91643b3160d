"""Bases: states of users, items and pairs, folded by Spark from a data set or from the log."""
