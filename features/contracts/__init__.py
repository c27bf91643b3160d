"""What may lie in a topic: each record's fields, their limits, and how it is read, refused and written."""
