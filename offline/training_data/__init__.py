"""Training data: rows, ranking lists and lessons from impressions, with features as of each moment."""
