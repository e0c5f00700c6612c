"""Honest research: splits without leaks, walk-forward, and what is left of a result after many trials."""
