"""Evaluation of lists by the prequential protocol: rows in time order, each predicted before it is learned.

A data set's rows in its order; its history is known, then before each row that a list could have brought
(`offline.datasets.event_rows.query_weights`) the system is queried for the user's list among all items but those that are hidden
from the user, and only then learns the row. The metrics take the rank of the item that the row names. `ranking_metrics` holds the
results, `prequential` queries methods in memory, `infra.offline_jobs.evaluate` a running home over HTTP.
"""
