"""Settings of a home: `martlet.toml` and variables `MARTLET_…`, which say where engines are and how Martlet runs."""
