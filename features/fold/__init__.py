"""The fold: what an event does to the state of its user, of items and of pairs of items."""
