"""Moments of returns: covariances and expected returns, estimated from a panel or from views."""
