"""Alpaca over its Trading API v2: the adapter, market data, and a simulator of the venue on loopback."""
