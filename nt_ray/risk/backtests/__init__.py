"""Tests of a risk model against what happened: how often, how clustered and how far losses passed its forecasts."""
