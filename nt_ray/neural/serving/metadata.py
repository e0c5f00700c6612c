"""What a model in service says of itself in the Open Inference Protocol: names, datatypes and shapes of its tensors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from pydantic_core import from_json

from nt_ray.neural.inference.quantiles import Intervals, checked_intervals
from nt_ray.neural.serving.model import Answer, ServedModel
from nt_ray.neural.serving.problems import MalformedRequestError, WrongDatatypeError, WrongInputsError
from nt_ray.neural.serving.tensors import Array, Question
from nt_ray.neural.serving.windows import WindowSet, checked_levels, shapes, windows
from nt_ray.project import project

EXTENSIONS: Final = ("binary_tensor_data",)
"""Not `model_repository`, though its index is there: models are loaded when they are asked for, and never by order."""
SERIES: Final = "series"
MEAN: Final = "mean"
QUANTILES: Final = "quantiles"


def server() -> dict[str, Any]:
    """Name, version and extensions of the server."""
    return {"name": "nt-ray", "version": project().version, "extensions": list(EXTENSIONS)}


def only_ready(body: bytes) -> bool:
    """Read whether a request for the index asks for models in memory alone; an empty one does not."""
    try:
        asked = from_json(body) if body else {}
    except ValueError as error:
        raise MalformedRequestError(f"The request is no JSON: {error}. Send {{}} or nothing.") from error
    ready = asked.get("ready", False) if isinstance(asked, dict) else None
    if not isinstance(ready, bool):
        raise MalformedRequestError('The request asks for no index. Send {}, {"ready": true} or nothing.')
    return ready


def metadata(model: ServedModel, versions: Sequence[int]) -> dict[str, Any]:
    """Describe a model; -1 is any number of windows."""
    inputs = [_tensor(name, "FP32", shape) for name, shape in shapes(model.signature).items()]
    if len(model.series) > 1:
        inputs.append(_tensor(SERIES, "BYTES", ()))
    outputs = [_tensor(MEAN, "FP32", (model.signature.horizon,))]
    if model.levels:
        outputs.append(_tensor(QUANTILES, "FP32", (model.signature.horizon, len(model.levels))))
    return {
        "name": model.name,
        "versions": [str(number) for number in versions],
        "platform": f"nt-ray_{model.precision}",
        "inputs": inputs,
        "outputs": outputs,
        "parameters": {
            "frequency": model.signature.frequency,
            "levels": ",".join(f"{level!r}" for level in model.levels),
            "largest_batch": model.batch,
        },
    }


def asked(question: Question, model: ServedModel) -> tuple[WindowSet, tuple[float, ...], Intervals]:
    """Windows, levels and kind of intervals of a question; the parameter `levels` is a text such as "0.1,0.5,0.9"."""
    known = (MEAN, QUANTILES) if model.levels else (MEAN,)
    for name in question.outputs:
        if name not in known:
            raise WrongInputsError(f"Model {model.name} has no output {name}. Its outputs: {', '.join(known)}.")
    given = {name: tensor.values for name, tensor in question.inputs.items() if name != SERIES}
    names: tuple[str, ...] = ()
    if SERIES in question.inputs:
        tensor = question.inputs[SERIES]
        if tensor.datatype != "BYTES":
            raise WrongDatatypeError(f"Input {SERIES} is {tensor.datatype}. Send BYTES, the name of each series.")
        names = tuple(tensor.values.reshape(-1).tolist())
    text = question.parameters.get("levels")
    levels = model.levels if text is None else checked_levels(str(text).split(","))
    if question.outputs and QUANTILES not in question.outputs:
        levels = ()
    intervals = checked_intervals(question.parameters.get("intervals", ""))
    return windows(model.signature, given, names, model.series), levels, intervals


def answered(question: Question, answer: Answer) -> Mapping[str, Array]:
    """Outputs of an answer as they were asked for, in 32 bits."""
    found = {MEAN: answer.mean, QUANTILES: answer.quantiles}
    names = question.outputs or ([MEAN, QUANTILES] if answer.quantiles.shape[-1] else [MEAN])
    with np.errstate(over="ignore"):
        told = {name: found[name].astype(np.float32) for name in names}
    for name, values in told.items():
        if not np.isfinite(values).all():
            raise WrongDatatypeError(f"Output {name} has numbers beyond those of FP32. Ask at /forecast for FP64.")
    return told


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, *shape]}
