"""The home: its paths, its ports, what it is, and how a running one is spoken to."""
