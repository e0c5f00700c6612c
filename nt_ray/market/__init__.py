"""Bars and instruments: files, embedded data, quality checks."""
