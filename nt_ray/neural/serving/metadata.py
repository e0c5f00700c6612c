"""What a model in service says of itself in the Open Inference Protocol: names, datatypes and shapes of its tensors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from nt_ray.neural.serving.model import Answer, ServedModel
from nt_ray.neural.serving.problems import WrongDatatypeError, WrongInputsError
from nt_ray.neural.serving.tensors import Array, Question
from nt_ray.neural.serving.windows import WindowSet, checked_levels, shapes, windows
from nt_ray.project import project

EXTENSIONS: Final = ("binary_tensor_data", "model_repository")
SERIES: Final = "series"
MEAN: Final = "mean"
QUANTILES: Final = "quantiles"


def server() -> dict[str, Any]:
    """Name, version and extensions of the server."""
    return {"name": "nt-ray", "version": project().version, "extensions": list(EXTENSIONS)}


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
            "levels": ",".join(f"{level:g}" for level in model.levels),
            "largest_batch": model.batch,
        },
    }


def asked(question: Question, model: ServedModel) -> tuple[WindowSet, tuple[float, ...]]:
    """Windows and levels of a question; the parameter `levels` is a text such as "0.1,0.5,0.9"."""
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
    return windows(model.signature, given, names, model.series), levels


def answered(question: Question, answer: Answer) -> Mapping[str, Array]:
    """Outputs of an answer as they were asked for, in 32 bits."""
    found = {MEAN: answer.mean, QUANTILES: answer.quantiles}
    names = question.outputs or ([MEAN, QUANTILES] if answer.quantiles.shape[-1] else [MEAN])
    return {name: found[name].astype(np.float32) for name in names}


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, *shape]}
