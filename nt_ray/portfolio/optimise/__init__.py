"""Optimisers: weights that are best under constraints, with proof."""
