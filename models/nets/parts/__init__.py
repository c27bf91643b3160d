"""Shared parts of the nets: the interface (`net`) and id lookup inside the graph (`ids`)."""
