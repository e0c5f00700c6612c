"""Measurements of the platform, each a module with a main function."""
