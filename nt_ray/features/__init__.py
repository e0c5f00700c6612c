"""Indicators: one streaming definition each, from which the vectorised form follows."""
