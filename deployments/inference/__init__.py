"""Forecasts over HTTP: the models of the registry behind Ray Serve."""
