"""Stress: what a book loses in history's crises, in named and own shocks, and what shock it would take to lose so much.

Every result names its assumptions; what the data do not cover is said to be not covered.
"""
