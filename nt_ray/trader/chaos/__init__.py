"""Drills: traders that are killed on purpose, and the audit of what they leave."""
