"""The services of a home: the definition of each, and the supervisor that keeps them running."""
