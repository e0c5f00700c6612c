"""Search for parameters: the space, the objective, and what a search leaves behind."""
