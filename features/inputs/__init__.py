"""Model inputs: columns, history and signals, made of features as they stood at a time."""
