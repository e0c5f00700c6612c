"""Tear sheets and plots."""
