"""Figures of large catalogues."""
