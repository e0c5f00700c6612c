from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving import metadata
from nt_ray.neural.serving.model import ServedModel
from nt_ray.neural.serving.reference import reference_of
from nt_ray.neural.serving.tensors import Question, Tensor
from nt_ray.neural.serving.windows import WindowSet, checked_levels, join, windows
from nt_ray.neural.training.trained import Trained

Make = Callable[..., Trained]
LEVELS = (0.1, 0.5, 0.9)


def cut(panel: SeriesPanel, origins: list[int], rows: int = 12, ahead: int = 4) -> dict[str, np.ndarray]:
    """Windows of every series at each origin, series by series."""
    pairs = [(s, o + 1 - rows, o + 1) for s in range(len(panel.names)) for o in origins]
    found = {
        "target": np.stack([panel.target[s, i:j] for s, i, j in pairs]),
        "past": np.stack([panel.past[s, i:j] for s, i, j in pairs]),
        "future": np.stack([panel.future[s, i : j + ahead] for s, i, j in pairs]),
        "static": np.stack([panel.static[s] for s, _, _ in pairs]),
    }
    return {kind: values for kind, values in found.items() if values.shape[-1]}


@pytest.mark.parametrize("scaling", ["none", "standard", "robust", "last", "fold"])
def test_forecasts_are_those_of_the_predictor(make: Make, waves: SeriesPanel, scaling: str) -> None:
    trained = make(scaling=scaling, head="quantile")
    origins = [30, 77, 115]
    mean, quantiles = Predictor(trained).windows(waves, np.array(origins), LEVELS)
    model = ServedModel(trained)
    asked = windows(trained.signature, cut(waves, origins), np.repeat(waves.names, 3).tolist(), model.series)
    answer = model.forecast(asked, LEVELS)
    np.testing.assert_allclose(answer.mean, mean.reshape(9, 4), rtol=1e-4)
    np.testing.assert_allclose(answer.quantiles, quantiles.reshape(9, 4, 3), rtol=1e-4)


def test_inputs_of_each_kind_reach_the_network(make: Make, rich: SeriesPanel) -> None:
    trained = make(rich, model="gru", parameters={"hidden": 8.0, "layers": 1.0})
    mean, _ = Predictor(trained).windows(rich, np.array([40, 100]))
    answer = ServedModel(trained).forecast(windows(trained.signature, cut(rich, [40, 100])))
    np.testing.assert_allclose(answer.mean, mean.reshape(6, 4), rtol=1e-4)


def test_many_windows_are_those_of_parts_and_joined_ones_those_of_each(make: Make, waves: SeriesPanel) -> None:
    model = ServedModel(make(head="student_t"))
    asked = windows(model.signature, cut(waves, list(range(20, 60))))
    whole = model.forecast(asked, LEVELS)
    model.batch = model.cut = 7
    sizes: list[int] = []
    run = model._run
    model._run = lambda batch: sizes.append(len(batch.target)) or run(batch)  # type: ignore[assignment,func-returns-value]
    parts = model.forecast(asked, LEVELS)
    assert sizes == [7] * 17 + [1]
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-5)
    np.testing.assert_allclose(parts.quantiles, whole.quantiles, rtol=1e-5)
    again = join([asked.part(0, 50), asked.part(50, 51), asked.part(51, len(asked))])
    np.testing.assert_array_equal(again.target, asked.target)
    assert len(again) == len(asked) == 120


def test_a_model_of_points_has_no_quantiles_and_a_flat_window_no_scale(make: Make, waves: SeriesPanel) -> None:
    model = ServedModel(make(), "m")
    assert model.levels == ()
    given = cut(waves, [50])
    with pytest.raises(NeuralError, match="has no quantiles") as caught:
        model.forecast(windows(model.signature, given), (0.5,))
    assert caught.value.code == "wrong_levels"
    given["target"][1] = 3.0
    with pytest.raises(NeuralError, match="Window 1 is 3") as caught:
        model.check(windows(model.signature, given))
    assert caught.value.code == "constant_series"


def test_warming_up_takes_any_number_of_windows(make: Make, rich: SeriesPanel) -> None:
    trained = make(rich, model="gru", parameters={"hidden": 8.0, "layers": 1.0}, scaling="fold")
    seen: list[int] = []

    class Counting:
        nbytes = 1000
        masks = True

        def __call__(self, batch: object) -> object:
            seen.append(len(batch.target))  # type: ignore[attr-defined]
            with torch.no_grad():
                return trained.network(batch)  # type: ignore[arg-type]

    model = ServedModel(trained, runner=Counting())  # type: ignore[arg-type]
    model.warm_up(1)
    model.warm_up(64)
    assert seen == [1, 64]
    assert model.nbytes == 1000 + ServedModel(trained).nbytes


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"target": np.zeros((2, 11))}, "short_series", "11 rows a window, and the model needs 12"),
        ({"target": np.zeros((2, 13))}, "wrong_shape", r"Send \[2, 12\]"),
        ({"target": np.zeros(12)}, "wrong_shape", r"\[12\]"),
        ({"target": np.zeros((0, 12))}, "wrong_shape", "no window"),
        ({"target": np.zeros((2, 12), np.int64)}, "wrong_datatype", "int64"),
        ({"target": np.full((2, 12), np.nan)}, "missing_value", r"nan at \[0, 0\]"),
        ({"past": np.full((2, 12, 2), np.inf)}, "missing_value", r"inf at \[0, 0, 0\]"),
        ({"past": np.zeros((2, 12, 3))}, "wrong_shape", r"Send \[2, 12, 2\]"),
        ({"future": np.zeros((2, 12, 1))}, "short_series", "the model needs 16"),
        ({"static": np.zeros((3, 2))}, "wrong_shape", r"Send \[2, 2\]"),
        ({"static": None}, "wrong_inputs", "static is missing"),
        ({"weather": np.zeros((2, 12))}, "wrong_inputs", "no input weather"),
    ],
)
def test_windows_of_another_kind_are_refused_with_a_code(
    make: Make, rich: SeriesPanel, change: dict[str, np.ndarray | None], code: str, said: str
) -> None:
    signature = make(rich, model="gru", parameters={"hidden": 4.0, "layers": 1.0}).signature
    given = {kind: values[:2] for kind, values in cut(rich, [50]).items()} | change
    with pytest.raises(NeuralError, match=said) as caught:
        windows(signature, {kind: values for kind, values in given.items() if values is not None})
    assert (caught.value.code, caught.value.status) == (code, 422)


def test_a_model_that_scales_by_series_wants_their_names(make: Make, waves: SeriesPanel) -> None:
    model = ServedModel(make(scaling="fold"))
    given = cut(waves, [50])
    for names, said in (((), "0 names came for 3"), (("a", "b", "x"), "no series 'x'")):
        with pytest.raises(NeuralError, match=said) as caught:
            windows(model.signature, given, names, model.series)
        assert caught.value.code == "wrong_inputs"
    alone = ServedModel(make(waves.select(["b"]), scaling="fold"))
    assert windows(alone.signature, given, (), alone.series).series == ("b", "b", "b")


@pytest.mark.parametrize("levels", [[0.0], [1.0], [0.9, 0.1], [0.5, 0.5], ["x"], [None], [float("nan")], [9e-5]])
def test_levels_increase_between_zero_and_one(levels: list[object]) -> None:
    with pytest.raises(NeuralError, match="levels are"):
        checked_levels(levels)
    assert checked_levels(["0.1", 0.9]) == (0.1, 0.9)
    assert checked_levels(["0.0001", 0.9999]) == (0.0001, 0.9999)


@pytest.mark.parametrize("head", ["quantile", "student_t"])
def test_quantiles_are_numbers_out_to_the_outermost_levels(make: Make, waves: SeriesPanel, head: str) -> None:
    model = ServedModel(make(head=head))
    asked = windows(model.signature, cut(waves, [60]), names=model.series)
    levels = checked_levels([0.0001, 0.001, 0.5, 0.999, 0.9999])
    quantiles = model.forecast(asked, levels).quantiles
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=2) > 0).all()
    # Past any check, a level that is 0 in 32 bits has no number, and that is said.
    with pytest.raises(NeuralError, match=r"forecasts no number|no levels"):
        model.forecast(asked, [1e-50])


def test_an_answer_of_too_many_numbers_is_refused_before_it_is_made(make: Make, waves: SeriesPanel) -> None:
    model = ServedModel(make(head="quantile"))
    one = cut(waves, [60])["target"][:1]
    asked = windows(model.signature, {"target": np.broadcast_to(one, (25_000, 12))})
    model.check(asked, [0.5] * 50)
    with pytest.raises(NeuralError, match="10100000 numbers, and an answer has at most 8388608") as caught:
        model.check(asked, [0.5] * 100)
    assert caught.value.status == 413


def test_numbers_beyond_32_bits_are_no_answer_in_32_bits(make: Make, waves: SeriesPanel) -> None:
    model = ServedModel(make(), "m")
    target = cut(waves, [60])["target"] * 1e39
    question = Question("", {"target": Tensor("target", "FP64", target)}, {}, {}, False)
    asked, levels, _ = metadata.asked(question, model)
    with pytest.raises(NeuralError, match="beyond those of FP32"):
        metadata.answered(question, model.forecast(asked, levels))


def test_reference_windows_are_the_latest_whole_ones(make: Make, waves: SeriesPanel) -> None:
    target = waves.target.copy()
    target[0, 110] = np.nan
    target[1] = 5.0
    reference = reference_of(replace(waves, target=target), make(), 6)
    assert len(reference.windows) == 4
    np.testing.assert_array_equal(reference.windows.target[2], target[2, 104:116])
    np.testing.assert_array_equal(reference.truth[2], target[2, 116:120])
    assert np.isfinite(reference.truth).all()
    unit = reference.windows.target.std(axis=1, keepdims=True)
    assert reference.error(reference.truth + 2 * unit) == pytest.approx(2.0)
    with pytest.raises(NeuralError, match="No 16 rows"):
        reference_of(replace(waves, target=np.full_like(target, np.nan)), make())


def test_a_set_of_windows_knows_its_number() -> None:
    empty = np.empty((3, 0))
    assert len(WindowSet(np.zeros((3, 2)), empty, empty, empty)) == 3


@pytest.mark.parametrize("scaling", ["standard", "robust", "last", "fold", "none"])
def test_missing_values_are_masked_as_in_training(make: Make, rich: SeriesPanel, scaling: str) -> None:
    target, past = rich.target.copy(), rich.past.copy()
    target[:, 4::7], past[:, 3::11, 1] = np.nan, np.nan
    panel = replace(rich, target=target, past=past)
    trained = make(panel, model="gru", parameters={"hidden": 8.0, "layers": 1.0}, scaling=scaling)
    assert trained.signature.gaps == ("target", "past")
    origins = np.array([30, 50, 82])
    truth = Predictor(trained).windows(panel, origins)[0].reshape(9, 4)
    model = ServedModel(trained, batch=4)
    model.cut = 4
    names = [name for name in panel.names for _ in origins]
    asked = windows(model.signature, cut(panel, origins), names, model.series)
    model.check(asked)
    np.testing.assert_allclose(model.forecast(asked).mean, truth, rtol=1e-4)


def test_gaps_that_training_did_not_have_and_windows_without_enough_are_refused(make: Make, rich: SeriesPanel) -> None:
    target = rich.target.copy()
    target[:, 4::7] = np.nan
    model = ServedModel(make(replace(rich, target=target), model="gru", parameters={"hidden": 4.0, "layers": 1.0}))
    given = {kind: values[:2].copy() for kind, values in cut(rich, [50]).items()}
    given["past"][0, 3, 1] = np.nan
    with pytest.raises(NeuralError, match=r"Input past is nan at \[0, 3, 1\].*data where past has gaps"):
        windows(model.signature, given)
    given["past"][0, 3, 1] = 0.0
    given["target"][1, :7] = np.nan
    with pytest.raises(NeuralError, match="Window 1 has 5 values in 12 rows, and the model needs 6") as caught:
        model.check(windows(model.signature, given))
    assert caught.value.code == "missing_value"
    given["target"][1, 7:] = np.nan
    with pytest.raises(NeuralError, match="Window 1 has 0 values"):
        model.check(windows(model.signature, given))
    given["target"][1] = np.inf
    with pytest.raises(NeuralError, match="is inf at"):
        windows(model.signature, given)
