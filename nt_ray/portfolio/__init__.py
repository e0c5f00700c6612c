"""From decisions to target positions."""
