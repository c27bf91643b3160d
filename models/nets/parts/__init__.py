"""Shared parts of the nets: the interface (`net`), inputs, id lookup, history, sequence layers and the score."""
