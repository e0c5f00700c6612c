"""Networks in ONNX Runtime: export, weights of 8 bits, and a runner that takes a network's place in service.

It needs the extra `nt-ray[onnx]`. A forecast of 8 bits multiplies integers: weights are rounded once, and what meets
them anew for every call. Whether that is good enough is not judged here (`nt_ray.neural.serving.admission`).
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch

OUTPUT: Final = "outputs"
WEIGHTS: Final = (1, 2)
"""Inputs of a cell that are weights."""
LARGEST: Final = 65_536
"""Windows of one call."""


class _Alone(nn.Module):
    """A network that takes its inputs one by one, and nothing that is missing."""

    def __init__(self, network: Forecaster) -> None:
        super().__init__()
        self.network = network
        self._names = inputs_of(network.shape)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Outputs (B, H, K)."""
        shape, given = self.network.shape, dict(zip(self._names, tensors, strict=True))
        target = given["target"]
        rows, ahead = shape.lookback, shape.lookback + shape.horizon
        count = target.shape[0]
        outputs: Tensor = self.network(
            Batch(
                target,
                torch.ones((1, 1)).expand(count, rows),
                given.get("past", target.new_zeros(count, rows, 0)),
                given.get("future", target.new_zeros(count, ahead, 0)),
                given.get("static", target.new_zeros(count, 0)),
            )
        )
        return outputs


def inputs_of(shape: Shape) -> tuple[str, ...]:
    """Inputs that a network of this shape has."""
    widths = {"target": 1, "past": shape.past, "future": shape.future, "static": shape.static}
    return tuple(name for name, width in widths.items() if width)


def export(network: Forecaster, path: Path) -> None:
    """Write a network as ONNX, for any number of windows."""
    onnx = _needed("onnx")
    _needed("onnxscript")
    shape = network.shape
    rows, ahead = shape.lookback, shape.lookback + shape.horizon
    sizes = {"target": (rows,), "past": (rows, shape.past), "future": (ahead, shape.future), "static": (shape.static,)}
    names = inputs_of(shape)
    examples = tuple(torch.randn(3, *sizes[name], generator=torch.Generator().manual_seed(0)) for name in names)
    any_number = torch.export.Dim("windows", min=1, max=LARGEST)
    try:
        with _quiet():
            torch.onnx.export(
                _Alone(network).eval(),
                examples,
                path,
                input_names=names,
                output_names=[OUTPUT],
                dynamic_shapes=(tuple({0: any_number} for _ in names),),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise NeuralError(
            f"The network {type(network).__name__} cannot be written as ONNX ({str(error).splitlines()[0]}). "
            "Serve it with precision fp32 or bf16."
        ) from error
    model = onnx.load(path)
    # The exporter's notes of shapes within are at times wrong; the runtime finds its own.
    del model.graph.value_info[:]
    onnx.save(model, path)


def quantise(source: Path, target: Path) -> None:
    """Write an ONNX network again with weights of 8 bits."""
    runtime, quantization = _needed("onnxruntime"), _needed("onnxruntime.quantization")
    folded = target.with_suffix(".folded.onnx")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    # Cells take their weights from other nodes until these are worked out, and only plain weights are rounded.
    runtime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    _part_cells(folded)
    with _quiet():
        quantization.quantize_dynamic(folded, target, weight_type=quantization.QuantType.QInt8)
    folded.unlink()
    _join_equal(target)


class OnnxRunner:
    """A network in ONNX Runtime on the CPU; for any number of threads, each call on `threads` of its own."""

    masks = False

    def __init__(self, path: Path, threads: int = 1) -> None:
        runtime = _needed("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.nbytes = path.stat().st_size
        self._session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        self._names = tuple(given.name for given in self._session.get_inputs())

    def __call__(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        given = {name: getattr(batch, name).numpy() for name in self._names}
        return torch.from_numpy(self._session.run([OUTPUT], given)[0])


def _part_cells(path: Path) -> None:
    """Give each cell weights of its own: rounding turns them round once for every cell that it meets them in."""
    onnx = _needed("onnx")
    model = onnx.load(path)
    weights = {weight.name: weight for weight in model.graph.initializer}
    met: set[str] = set()
    for number, cell in enumerate(node for node in model.graph.node if node.op_type == "LSTM"):
        for place in WEIGHTS:
            name = cell.input[place]
            if name in met:
                own = model.graph.initializer.add()
                own.CopyFrom(weights[name])
                cell.input[place] = own.name = f"{name}.{number}"
            met.add(name)
    onnx.save(model, path)


def _join_equal(path: Path) -> None:
    """Keep one of equal weights."""
    onnx = _needed("onnx")
    model = onnx.load(path)
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    same = {}
    for weight in list(model.graph.initializer):
        if weight.raw_data:
            kept = first.setdefault((weight.data_type, tuple(weight.dims), weight.raw_data), weight.name)
            if kept != weight.name:
                same[weight.name] = kept
                model.graph.initializer.remove(weight)
    for node in model.graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
    onnx.save(model, path)


def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise NeuralError(f"{name} is not installed. Install nt-ray[onnx], or serve with precision fp32.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks on packages and preparations that are not needed to themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
