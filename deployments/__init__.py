"""The doors: Ray Serve applications over the actors."""
