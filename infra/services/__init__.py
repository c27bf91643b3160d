"""The services of a home: how each is started, and the supervisor that keeps them running."""
