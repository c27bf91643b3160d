"""Training data: rows, ranking lists and what impressions tell, with features as of each moment."""
