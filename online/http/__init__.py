"""What every route of the HTTP API shares."""
