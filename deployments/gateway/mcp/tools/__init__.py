"""The tools, one file for each kind of work."""
