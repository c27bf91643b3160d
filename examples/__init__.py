"""Data to try Martlet with, drawn by seeded scripts."""
