"""One's own data: files of events and items in whatever columns they have, recognised, surveyed and read."""
