"""The networks: one file each, found by name through `nt_ray.neural.models.registry`."""
