"""Planted faults: one wrong line at a time, and the tests that must catch it. What no test catches, nobody has promised.

    ./martlet test --mutations                       all of them, two at a time
    ./martlet test --mutations -- --only alarm       those whose words or file have "alarm" in them; --list runs none

A fault names its file and the exact text that it replaces; test_planted.py, in every run, checks that each still applies and that
its tests are there, so that the list can't rot. Where code moves, the paths here move with it; where a line changes, so does
its fault.
"""
