"""Engines that run already: whether they answer, which they are, and whether version and rights will do."""
