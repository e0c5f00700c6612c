"""Strategies: one file each, documented parameters and a compiled step."""
