"""Trained networks on disk, and forecasts by them."""
