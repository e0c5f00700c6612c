"""Ray Serve is imported once here: its own classes use what pydantic has since deprecated, and say so."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import ray.serve  # noqa: F401
