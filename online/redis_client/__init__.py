"""Reads and small writes of the API in Redis: a server or a cluster, over one connection a server."""
