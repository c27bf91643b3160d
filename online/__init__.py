"""The online server: events in, recommendations out."""
