"""The command line, and all that starts, watches and stops the services of a home."""
