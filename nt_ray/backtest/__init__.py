"""Compiled simulation, metrics and benchmarks of a strategy."""
