"""What the events of a home mean: a document (`schema.toml`), read here alone, compiled to the tables that the fold uses."""
