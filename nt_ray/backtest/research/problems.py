"""The error of this package."""

from nt_ray.errors import BadInputError


class ResearchError(BadInputError):
    """A split, a parameter space or a sample from which nothing can be learned."""

    code = "research"
