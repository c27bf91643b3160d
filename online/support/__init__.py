"""Small tools of the API: deadlines, circuit breaker, reloadable files, clock, metrics."""
