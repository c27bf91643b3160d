"""Tests that may be looked at after every new observation."""
