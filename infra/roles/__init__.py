"""Roles of a home that run alone, each in the foreground: the API, the keeper of the job, the watch. For containers."""
