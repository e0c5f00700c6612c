import json
from pathlib import Path

import numpy as np
import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.source import CHUNK, PathSource
from nt_ray.neural.synthetic.training import GanTraining
from nt_ray.types import FloatArray


@pytest.fixture
def source(returns: FloatArray, small: GanSettings) -> PathSource:
    training = GanTraining(returns, small.model_copy(update={"kurtosis": 3.0}))
    training.run(2)
    return PathSource.of(training, {"symbol": "X"})


def test_a_path_is_the_same_to_the_bit_in_whatever_company_it_is_drawn(source: PathSource) -> None:
    many = source.paths(2 * CHUNK + 5, 40, seed=3)
    assert many.shape == (2 * CHUNK + 5, 40)
    np.testing.assert_array_equal(source.paths(7, 40, seed=3, first=CHUNK - 3), many[CHUNK - 3 : CHUNK + 4])
    np.testing.assert_allclose(source.paths(3, 15, seed=3), many[:3, :15], rtol=1e-4, atol=1e-7)
    assert not np.isclose(source.paths(3, 40, seed=4), many[:3]).any()
    assert len(np.unique(many[:, 0])) == len(many)


def test_a_saved_generator_draws_the_same_paths(source: PathSource, tmp_path: Path) -> None:
    source.save(tmp_path / "bundle")
    loaded = PathSource.load(tmp_path / "bundle")
    np.testing.assert_array_equal(loaded.paths(4, 30), source.paths(4, 30))
    assert (loaded.settings, loaded.preprocessing) == (source.settings, source.preprocessing)
    assert dict(loaded.lineage) == dict(source.lineage)
    assert (loaded.lineage["symbol"], loaded.lineage["steps"], loaded.lineage["rows"]) == ("X", 2, 200)
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == ["model.json", "weights.safetensors"]


def test_a_damaged_bundle_is_refused_with_what_is_wrong(source: PathSource, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"

    def write(**changes: object) -> None:
        source.save(folder)
        text = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**text, **changes}))

    for changes, message in (
        ({"format": "other/1"}, "has the format 'other/1'"),
        ({"parameters": {"width": 0}}, "does not describe a generator"),
        ({"preprocessing": {"mean": 0.0}}, "does not describe a generator"),
        ({"lineage": 3}, "does not describe a generator"),
        ({"parameters": source.settings.model_dump() | {"layers": 4}}, "another network"),
        ({"parameters": source.settings.model_dump() | {"width": 5}}, "has the shape"),
    ):
        write(**changes)
        with pytest.raises(NeuralError, match=message):
            PathSource.load(folder)
    source.save(folder)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(NeuralError, match="cut short or damaged"):
        PathSource.load(folder)
    with pytest.raises(NeuralError, match="is not there"):
        PathSource.load(tmp_path / "nowhere")


@pytest.mark.parametrize(("count", "length", "first"), [(0, 5, 0), (5, 0, 0), (5, 5, -1)])
def test_no_paths_are_no_paths(source: PathSource, count: int, length: int, first: int) -> None:
    with pytest.raises(NeuralError, match="cannot be drawn"):
        source.paths(count, length, first=first)
