import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.neural.inference.folder import match, read_tensors, read_text, write_folder
from nt_ray.neural.problems import NeuralError

KINDS = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool)


def written(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    write_folder(folder, tensors, "weights.safetensors", {"kind": "test"}, "state.json")
    return folder


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.lists(st.integers(0, 4), max_size=3), kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
def test_tensors_come_back_to_the_bit(tmp_path: Path, shape: list[int], kind: torch.dtype, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=shape)
    tensor = torch.from_numpy(np.asarray(values)).to(kind)
    found = read_tensors(written(tmp_path / "state", {"layer.weight": tensor}), "weights.safetensors")
    assert list(found) == ["layer.weight"]
    assert found["layer.weight"].dtype == kind
    assert torch.equal(found["layer.weight"], tensor)


def test_views_and_weights_that_share_memory_are_written_each_by_itself(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4).requires_grad_()
    tensors = {"turned": base.T, "part": base[1], "again": base}
    found = read_tensors(written(tmp_path / "deep" / "state", tensors), "weights.safetensors")
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in tensors.items()
    }


def test_a_text_that_is_no_json_leaves_the_old_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "state", {"a": torch.ones(2)})
    with pytest.raises(ValueError, match="JSON"):
        write_folder(folder, {"a": torch.zeros(2)}, "weights.safetensors", {"loss": float("nan")}, "state.json")
    assert read_tensors(folder, "weights.safetensors")["a"].tolist() == [1.0, 1.0]
    assert read_text(folder, "state.json") == {"kind": "test"}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is not there"),
        (lambda path: path.write_bytes(b"\xff\xfe{"), "is no JSON"),
        (lambda path: path.write_text("{'a': 1}"), "is no JSON"),
        (lambda path: path.write_text(json.dumps([1])), "holds no object"),
    ],
)
def test_a_damaged_text_is_refused_with_its_path(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    path = written(tmp_path / "state", {}) / "state.json"
    damage(path)
    with pytest.raises(NeuralError, match=words) as told:
        read_text(tmp_path / "state", "state.json")
    assert str(path) in str(told.value)


@pytest.mark.parametrize("kept", [0, 7, 20, -1])
def test_weights_cut_anywhere_are_refused(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path / "state", {"a": torch.ones(8)}) / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NeuralError, match="cut short or damaged"):
        read_tensors(tmp_path / "state", "weights.safetensors")
    path.unlink()
    with pytest.raises(NeuralError, match="is not there"):
        read_tensors(tmp_path / "state", "weights.safetensors")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"a": torch.ones(2)}, r"lack \['b'\] and add \[\]"),
        ({"a": torch.ones(2), "b": torch.ones(1), "c": torch.ones(1)}, r"lack \[\] and add \['c'\]"),
        ({"a": torch.ones(3), "b": torch.ones(1)}, r"a in .* has the shape \[3\]; the network has \[2\]"),
    ],
)
def test_weights_of_another_network_are_refused(found: dict[str, torch.Tensor], words: str, tmp_path: Path) -> None:
    wanted = {"a": torch.zeros(2), "b": torch.zeros(1)}
    with pytest.raises(NeuralError, match=words):
        match(found, wanted, tmp_path)
    match(wanted, wanted, tmp_path)
