"""The version of Martlet, said by the command line and by GET /healthz; pyproject.toml says the same."""

VERSION = "0.1.0"
