"""How good lists are, by the prequential protocol: rows in time order, asked before they are learned.

A data set's rows in (time, user, item) order; its history is known, then before each row rated at least 4 the system is
asked for the user's list among all items but those rated already, and only then learns the row. What counts is the place of
the item that the row names. `ranking_metrics` holds what came out, `prequential` asks in memory, `infra.offline_jobs.evaluate` a
running home over HTTP.
"""
