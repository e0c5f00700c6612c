"""Errors of forecasting."""

from nt_ray.errors import BadInputError


class NeuralError(BadInputError):
    """A series, model, weight file or setting that cannot be trained or forecast with."""

    code = "neural"
