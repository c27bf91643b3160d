"""Programs that print figures. Nothing in tests asserts an absolute time."""
