"""MovieLens' files and those like them, as one history and one catalogue."""
