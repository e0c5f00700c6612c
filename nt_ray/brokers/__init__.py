"""Venues behind one interface, one folder each."""
