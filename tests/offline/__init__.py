"""The offline steps, on one Spark session."""
