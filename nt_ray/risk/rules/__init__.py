"""The rules of the pre-trade gate, each a small object with one limit."""
