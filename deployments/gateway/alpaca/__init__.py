"""The Alpaca Trading API, version 2: its official client trades here with only its address changed."""
