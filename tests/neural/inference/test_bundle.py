import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nt_ray.neural.inference import folder as folders
from nt_ray.neural.inference.bundle import describe_bundle, load_bundle, save_bundle
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.models import registry
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train
from nt_ray.project import project


@pytest.fixture
def trained(waves: SeriesPanel, recipe: Recipe) -> Trained:
    return train(waves, recipe.model_copy(update={"steps": 20, "scaling": "fold"}))


@pytest.fixture
def bundle(trained: Trained, tmp_path: Path) -> Path:
    save_bundle(trained, tmp_path / "model", config={"source": "waves"}, metrics={"mae": 0.25})
    return tmp_path / "model"


def test_a_model_forecasts_the_same_after_a_round_trip(trained: Trained, bundle: Path, waves: SeriesPanel) -> None:
    before, after = Predictor(trained).forecast(waves), Predictor.load(bundle).forecast(waves)
    np.testing.assert_array_equal(before.mean, after.mean)
    again = load_bundle(bundle)
    assert (again.signature, again.best, again.data) == (trained.signature, trained.best, waves.digest())
    assert sorted(path.name for path in bundle.iterdir()) == ["model.json", "weights.safetensors"]


def test_a_bundle_says_where_it_comes_from(trained: Trained, bundle: Path, waves: SeriesPanel) -> None:
    said = describe_bundle(bundle)
    assert said.lineage.data == waves.digest()
    assert said.lineage.code == project().version
    assert said.lineage.config == {"source": "waves"}
    assert said.lineage.metrics["mae"] == 0.25
    assert said.lineage.metrics["validation_loss"] == dict(trained.validations)[trained.best]
    assert said.parameters == registry.parameters("rlinear", {})
    assert said.series == ("a", "b", "c")


def test_missing_inputs_and_scales_survive(gappy: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    held = train(gappy, recipe.model_copy(update={"model": "gru", "steps": 5, "validate_every": 0}))
    save_bundle(held, tmp_path / "model")
    np.testing.assert_array_equal(
        Predictor.load(tmp_path / "model").forecast(gappy).mean, Predictor(held).forecast(gappy).mean
    )


def change_text(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    text = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    change(text)
    (bundle / "model.json").write_text(json.dumps(text), encoding="utf-8")


def change_weights(bundle: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = bundle / "weights.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    change(tensors)
    save_file(tensors, path)


def cut(bundle: Path) -> None:
    path = bundle / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-16])


def scramble(bundle: Path) -> None:
    path = bundle / "weights.safetensors"
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def first(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name in sorted(tensors) if name.startswith("network.") and tensors[name].ndim == 2)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "cut short or damaged"),
        (scramble, "cut short or damaged"),
        (lambda b: (b / "weights.safetensors").unlink(), "safetensors is not there"),
        (lambda b: (b / "model.json").unlink(), "json is not there"),
        (lambda b: (b / "model.json").write_text("{", encoding="utf-8"), "no JSON"),
        (lambda b: (b / "model.json").write_text("[]", encoding="utf-8"), "no object"),
        (lambda b: change_text(b, lambda t: t.update(format="other/9")), "format 'other/9'"),
        (lambda b: change_text(b, lambda t: t["recipe"].update(model="rliner")), "did you mean 'rlinear'"),
        (lambda b: change_text(b, lambda t: t["recipe"].update(horizon=5)), "says horizon|lists shape|has the shape"),
        (lambda b: change_text(b, lambda t: t["shape"].update(lookback=13)), "lookback = 13.*changed by hand"),
        (lambda b: change_text(b, lambda t: t.pop("lineage")), "lineage: Field required"),
        (lambda b: change_text(b, lambda t: t.update(extra=1)), "extra: Extra inputs"),
        (lambda b: change_weights(b, lambda t: t.pop(first(t))), "lack"),
        (lambda b: change_weights(b, lambda t: t.update({"network.more": torch.ones(2)})), "add"),
        (lambda b: change_weights(b, lambda t: t.update({first(t): torch.ones(2, 2)})), "has the shape"),
        (lambda b: change_weights(b, lambda t: t[first(t)].fill_(torch.nan)), "NaN or infinite weights"),
        (lambda b: change_weights(b, lambda t: t.pop("scaler.location")), r"lack the scales \['location'\]"),
    ],
)
def test_a_damaged_bundle_is_refused_by_name(bundle: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(bundle)
    with pytest.raises(NeuralError, match=words):
        load_bundle(bundle)


def test_a_crash_while_writing_leaves_what_was_there(
    trained: Trained, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (bundle / "weights.safetensors").read_bytes()

    def crash(path: Path) -> None:
        raise OSError(f"no space for {path}")

    monkeypatch.setattr(folders, "_sync", crash)
    with pytest.raises(OSError, match="no space"):
        save_bundle(trained, bundle)
    assert (bundle / "weights.safetensors").read_bytes() == before
    assert [path.name for path in bundle.parent.iterdir()] == ["model"]


def test_saving_again_replaces_the_whole_folder(trained: Trained, bundle: Path) -> None:
    (bundle / "stray").write_text("x", encoding="utf-8")
    save_bundle(trained, bundle)
    assert not (bundle / "stray").exists()
    assert [path.name for path in bundle.parent.iterdir()] == ["model"]
