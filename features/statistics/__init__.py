"""What came of lists, and tests on it that may be looked at after every new observation."""
