import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from nt_ray.neural.inference.bundle import save_bundle
from nt_ray.neural.inference.onnx import OnnxRunner, export, quantise
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.admission import Precision, admit, judge
from nt_ray.neural.serving.model import ServedModel
from nt_ray.neural.serving.reference import FILE, load_reference, reference_of, save_reference
from nt_ray.neural.serving.windows import windows
from nt_ray.neural.training.trained import Trained

Make = Callable[..., Trained]
SMALL = {"hidden": 8.0, "layers": 2.0}


@pytest.fixture
def bundle(make: Make, waves: SeriesPanel, tmp_path: Path) -> tuple[Trained, Path]:
    trained = make(model="lstm", parameters=SMALL, scaling="fold", steps=60)
    save_bundle(trained, tmp_path / "bundle")
    save_reference(reference_of(waves, trained, 24), tmp_path / "bundle", trained.scaler.names)
    return trained, tmp_path / "bundle"


class Off:
    """A runner whose outputs are off by a share."""

    nbytes = 0
    masks = True

    def __init__(self, trained: Trained, share: float) -> None:
        self._trained, self._share = trained, share

    def __call__(self, batch: Batch) -> Tensor:
        with torch.inference_mode():
            return self._trained.network(batch) * (1 + self._share)


def test_reference_windows_survive_the_way_to_a_folder_and_back(
    bundle: tuple[Trained, Path], waves: SeriesPanel
) -> None:
    trained, folder = bundle
    before, after = reference_of(waves, trained, 24), load_reference(folder, trained)
    assert after is not None
    np.testing.assert_array_equal(after.windows.target, before.windows.target)
    np.testing.assert_array_equal(after.truth, before.truth)
    assert after.windows.series == before.windows.series
    (folder / FILE).write_bytes(b"damaged")
    with pytest.raises(NeuralError, match="damaged"):
        load_reference(folder, trained)


def assert_admitted(trained: Trained, folder: Path, precision: Precision) -> None:
    """Judge the verdict by errors counted here."""
    model, verdict = admit(trained, folder, "m", 1, precision, 0.2)
    assert verdict.admitted, verdict
    assert model.precision == precision
    reference = load_reference(folder, trained)
    assert reference is not None
    plain = ServedModel(trained).forecast(reference.windows).mean
    fewer = model.forecast(reference.windows).mean
    assert 0 < np.abs(fewer - plain).max() < 0.2
    errors = [np.abs(mean - reference.truth) / reference.windows.target.std(axis=1)[:, None] for mean in (plain, fewer)]
    assert verdict.growth == pytest.approx(errors[1].mean() / errors[0].mean() - 1)


def test_16_bits_are_admitted_where_the_error_stays_within_the_bound(bundle: tuple[Trained, Path]) -> None:
    assert_admitted(*bundle, "bf16")


def test_a_network_with_inputs_is_exported_and_admitted_with_8_bits(
    make: Make, rich: SeriesPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = make(rich, model="lstm", parameters=SMALL)
    network = trained.network.eval()
    whole = tmp_path / "network.onnx"
    export(network, whole)
    runner = OnnxRunner(whole)
    for count in (1, 5):
        draw = torch.Generator().manual_seed(count)
        sizes = ((12,), (12, 2), (16, 1), (2,))
        target, past, future, static = (torch.randn(count, *size, generator=draw) for size in sizes)
        batch = Batch(target, torch.ones(1, 1).expand(count, 12), past, future, static)
        with torch.inference_mode():
            np.testing.assert_allclose(runner(batch), network(batch), atol=1e-5)
    quantise(whole, tmp_path / "small.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "small.onnx").graph.node}
    assert "DynamicQuantizeLSTM" in kinds
    assert "LSTM" not in kinds
    # Exporting takes seconds, and once is enough.
    monkeypatch.setattr("nt_ray.neural.serving.admission.export", lambda _, path: shutil.copy(whole, path))
    save_bundle(trained, tmp_path / "bundle")
    save_reference(reference_of(rich, trained, 24), tmp_path / "bundle")
    assert_admitted(trained, tmp_path / "bundle", "int8")


def test_windows_with_gaps_pass_by_a_network_that_knows_no_mask(make: Make, waves: SeriesPanel, tmp_path: Path) -> None:
    target = waves.target.copy()
    target[:, 5::9] = np.nan
    trained = make(
        replace(waves, target=target),
        model="transformer",
        parameters={"patch": 4.0, "stride": 2.0, "width": 8.0, "heads": 2.0, "inner": 8.0, "layers": 1.0},
    )
    path = tmp_path / "network.onnx"
    export(trained.network.eval(), path)
    runner = OnnxRunner(path)
    for count in (1, 5):
        drawn = torch.randn(count, 12, generator=torch.Generator().manual_seed(count))
        whole = torch.ones(1, 1).expand(count, 12)
        batch = Batch(drawn, whole, drawn.new_zeros(count, 12, 0), drawn.new_zeros(count, 16, 0), drawn[:, :0])
        with torch.inference_mode():
            np.testing.assert_allclose(runner(batch), trained.network(batch), atol=1e-5)
    given = {"target": np.stack([target[0, 20:32], waves.target[1, 20:32], target[2, 30:42]])}
    asked = windows(trained.signature, given)
    plain, other = ServedModel(trained), ServedModel(trained, runner=runner)
    np.testing.assert_allclose(other.forecast(asked).mean, plain.forecast(asked).mean, rtol=1e-5)
    alone = windows(trained.signature, {"target": given["target"][:1]})
    np.testing.assert_allclose(other.forecast(alone).mean, plain.forecast(asked).mean[:1], rtol=1e-5)


def test_a_worse_error_is_refused_and_the_reason_logged(
    bundle: tuple[Trained, Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, folder = bundle
    monkeypatch.setattr("nt_ray.neural.serving.admission._RUNNERS", {"bf16": lambda trained: Off(trained, 5.0)})
    with caplog.at_level(logging.WARNING):
        model, verdict = admit(trained, folder, "m", 1, "bf16")
    assert (model.precision, verdict.admitted) == ("fp32", False)
    assert verdict.growth is not None
    assert verdict.growth > 0.01
    assert "m/1 is served with fp32, not bf16: its error grows by" in caplog.text


def test_the_bound_decides(bundle: tuple[Trained, Path]) -> None:
    trained, folder = bundle
    reference = load_reference(folder, trained)
    assert reference is not None
    plain, other = ServedModel(trained), ServedModel(trained, runner=Off(trained, 5.0))
    growth = judge(plain, other, reference, "int8", 1e9).growth
    assert growth is not None
    assert growth > 0
    assert judge(plain, other, reference, "int8", growth).admitted
    assert not judge(plain, other, reference, "int8", growth * 0.999).admitted
    assert judge(plain, ServedModel(trained), reference, "int8", 0.0).admitted


def test_without_reference_windows_nothing_but_32_bits_is_admitted(bundle: tuple[Trained, Path]) -> None:
    trained, folder = bundle
    (folder / FILE).unlink()
    model, verdict = admit(trained, folder, "m", 1, "bf16")
    assert (model.precision, verdict.admitted, verdict.growth) == ("fp32", False, None)
    assert "no reference windows" in verdict.reason
    assert admit(trained, folder, "m", 1, "fp32")[1].admitted
