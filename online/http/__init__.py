"""Middlewares and helpers that all HTTP routes share."""
