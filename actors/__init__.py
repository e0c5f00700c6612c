"""The domain given identity, a place on the Ray cluster and a life."""
