"""Evaluation of lists by the prequential protocol: rows in time order, each predicted before it is learned.

A data set's rows in (time, user, item) order; its history is known, then before each row rated at least 4 the system is
queried for the user's list among all items but those rated already, and only then learns the row. The metrics take the rank
of the item that the row names. `ranking_metrics` holds the results, `prequential` queries methods in memory,
`infra.offline_jobs.evaluate` a running home over HTTP.
"""
