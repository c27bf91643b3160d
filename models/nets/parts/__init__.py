"""What the nets share: the interface (`net`) and id lookup inside the graph (`ids`)."""
