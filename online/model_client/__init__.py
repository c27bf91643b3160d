"""Client of the model server, with a deadline and a circuit breaker, and the model versions that rank."""
