"""How long things take while others go on: clicks, lists, steady events, and both for half an hour."""
