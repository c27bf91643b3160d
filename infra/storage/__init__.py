"""Where a home's files lie elsewhere: folders and buckets, and the models that are mirrored there."""
