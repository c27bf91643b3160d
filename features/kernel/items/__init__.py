"""The fold of items, compiled: contributions and impressions into rows, rows into the bytes of `ItemFeatures`."""
