"""Making a list: recall, ranking and re-ranking strung together, why it is so, and what became of it."""
