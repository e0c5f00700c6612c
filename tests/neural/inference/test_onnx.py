"""Every network in ONNX Runtime, in 32 and in 8 bits, beside itself in torch."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from nt_ray.neural.inference.onnx import OnnxRunner, export, quantise
from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.registry import NAMES, build
from nt_ray.neural.series.batch import Batch

LOOKBACK, HORIZON, COUNT = 8, 2, 5


@pytest.mark.parametrize("name", NAMES)
def test_a_network_forecasts_alike_in_32_bits_and_nearly_so_in_8(
    name: str, sizes: Callable[[str, int, int], dict[str, float]], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = build(name, Shape(LOOKBACK, HORIZON, 0, 0, 0, 1), sizes(name, 8, 1)).eval()
    export(network, tmp_path / "whole.onnx")
    quantise(tmp_path / "whole.onnx", tmp_path / "small.onnx")
    target = torch.randn(COUNT, LOOKBACK)
    none = target.new_zeros(COUNT, LOOKBACK + HORIZON, 0)
    batch = Batch(target, torch.ones(1, 1).expand(COUNT, LOOKBACK), none[:, :LOOKBACK], none, target[:, :0])
    with torch.inference_mode():
        truth = network(batch)
    torch.testing.assert_close(OnnxRunner(tmp_path / "whole.onnx")(batch), truth, rtol=1e-5, atol=1e-6)
    small = OnnxRunner(tmp_path / "small.onnx")(batch)
    # Rounding shows, and is small beside what the windows differ by.
    apart = (small - truth).abs().max()
    assert 0.0 < apart < 0.15 * truth.std(dim=0).max(), (apart, truth.std(dim=0))
    graph = onnx.load(tmp_path / "small.onnx").graph
    assert {node.op_type for node in graph.node} & {"MatMulInteger", "ConvInteger", "DynamicQuantizeLSTM"}
    # Weights that a network uses at every step are kept once.
    kept = [(w.data_type, tuple(w.dims), w.raw_data) for w in graph.initializer if w.raw_data]
    assert len(set(kept)) == len(kept)
