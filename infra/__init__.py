"""The command line, and everything that starts, monitors and stops the services of a home."""
