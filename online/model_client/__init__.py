"""The model server as the API sees it: a client with a deadline and a circuit breaker, and which model versions rank."""
