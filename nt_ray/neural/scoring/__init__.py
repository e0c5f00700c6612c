"""How good forecasts are, and how sure one can be of it."""
