"""Errors of a question to a model in service; each has a code of its own that does not change."""

from nt_ray.neural.problems import NeuralError


class MalformedRequestError(NeuralError):
    """A request that cannot be read at all."""

    code = "malformed_request"
    status = 400


class WrongShapeError(NeuralError):
    """A tensor of another shape than the model's."""

    code = "wrong_shape"


class WrongDatatypeError(NeuralError):
    """A tensor of another datatype than the model's."""

    code = "wrong_datatype"


class WrongInputsError(NeuralError):
    """Inputs that the model does not know, or that it lacks; outputs it does not have."""

    code = "wrong_inputs"


class WrongFrequencyError(NeuralError):
    """Rows of another spacing than those the model was trained on."""

    code = "wrong_frequency"


class MissingValueError(NeuralError):
    """A value that is no number."""

    code = "missing_value"


class ShortSeriesError(NeuralError):
    """Fewer rows than the model looks back."""

    code = "short_series"


class ConstantSeriesError(NeuralError):
    """A look-back without a spread to scale it by."""

    code = "constant_series"


class WrongLevelsError(NeuralError):
    """Quantile levels outside (0, 1), or asked of a model that forecasts points."""

    code = "wrong_levels"


class TooLargeError(NeuralError):
    """More in one request than is taken at once."""

    code = "too_large"
    status = 413
