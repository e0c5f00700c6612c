"""Forecasters: windows, models, training, scoring and model bundles; where they train and serve is not known here."""
