"""Models: networks, training, the registry of versions, and the embedded model server."""
