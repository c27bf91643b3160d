"""The contracts of the topics: each record's fields, their limits, and how it is read, refused and written."""
