import json

import numpy as np
import numpy.typing as npt
import pytest

from nt_ray.neural.drift.drift import Limits, assess, coverage_drift, error_drift
from nt_ray.neural.drift.drift_reference import Reference, reference_in, reference_of
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.registry_problems import CorruptModelError

Floats = npt.NDArray[np.float64]
NO_FLOORS = {"least_index": 0.0, "least_shift": 0.0}


def process(rows: int, carry: float, rng: np.random.Generator) -> Floats:
    """First-order process of variance 1."""
    values = rng.normal(size=rows)
    for t in range(1, rows):
        values[t] = carry * values[t - 1] + np.sqrt(1 - carry**2) * values[t]
    return values


def share_of_runs(level: float, runs: int) -> float:
    """Share that a rate of `level` exceeds by chance once in a thousand times."""
    return level + 3.1 * np.sqrt(level * (1 - level) / runs)


@pytest.mark.parametrize("carry", [0.0, 0.8])
def test_inputs_that_do_not_change_raise_no_more_false_alarms_than_stated(carry: float) -> None:
    level, runs, found = 0.05, 80, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        reference = reference_of({str(k): process(800, carry, rng) for k in range(3)})
        recent = {str(k): process(150, carry, rng) for k in range(3)}
        found += assess(reference, recent, limits=Limits(level=level, **NO_FLOORS)).retrain
    assert found / runs <= share_of_runs(level, runs)


@pytest.mark.parametrize("carry", [0.0, 0.5])
def test_errors_that_do_not_change_raise_no_more_false_alarms_than_stated_and_doubled_ones_are_seen(
    carry: float,
) -> None:
    runs, rows, run_length = 80, 500, 5000.0
    false, delays = 0, []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        reference = reference_of({}, np.exp(0.8 * process(500, carry, rng)))
        calm = np.exp(0.8 * process(rows, carry, rng))
        false += error_drift(reference, calm, Limits(run_length=run_length)).alarm is not None
        calm[200:] *= 2
        watch = error_drift(reference, calm, Limits(run_length=run_length))
        delays.append((rows if watch.alarm is None else watch.alarm) - 200)
    assert false / runs <= share_of_runs(1 - np.exp(-rows / run_length), runs)
    assert np.median(delays) < 150


def test_intervals_that_cover_raise_no_more_false_alarms_than_stated_and_a_loss_of_cover_is_seen() -> None:
    runs, rows, run_length = 200, 500, 5000.0
    false, delays = 0, []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        hits = rng.random(rows) < 0.9 - 0.02
        false += coverage_drift(0.9, hits, Limits(run_length=run_length)).watch.alarm is not None
        hits[100:] = rng.random(rows - 100) < 0.7
        alarm = coverage_drift(0.9, hits, Limits(run_length=run_length)).watch.alarm
        delays.append((rows if alarm is None else alarm) - 100)
    assert false / runs <= share_of_runs(1 - np.exp(-rows / run_length), runs)
    assert 0 < np.median(delays) < 100


def test_a_column_that_moves_is_named_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    reference = reference_of({name: rng.normal(size=2000) for name in "abc"})
    found = assess(reference, {"a": rng.normal(size=300), "b": rng.normal(0.6, size=300), "c": rng.normal(size=300)})
    assert [(c.name, c.drifted) for c in found.inputs] == [("a", False), ("b", True), ("c", False)]
    assert found.inputs[1].shift == pytest.approx(0.6, abs=0.15)
    assert found.retrain
    assert found.reasons[0].startswith("input b drifted by 0.")
    assert json.loads(json.dumps(found.resolved()))["retrain"] is True


def test_a_change_too_small_to_matter_is_none_however_sure() -> None:
    rng = np.random.default_rng(0)
    reference = reference_of({"a": rng.normal(size=50_000)})
    found = assess(reference, {"a": rng.normal(0.1, size=50_000)})
    assert found.inputs[0].p < 1e-6
    assert not found.retrain


def test_a_column_that_goes_missing_has_drifted() -> None:
    rng = np.random.default_rng(0)
    column = rng.normal(size=400)
    reference = reference_of({"a": column, "b": column})
    half = np.where(rng.random(400) < 0.5, np.nan, column)
    found = assess(reference, {"a": half, "b": np.full(400, np.nan)})
    assert [c.drifted for c in found.inputs] == [True, True]
    assert not assess(reference, {"a": column, "b": column}).retrain


def test_a_constant_column_drifts_when_it_becomes_another() -> None:
    reference = reference_of({"a": np.ones(100)})
    assert not assess(reference, {"a": np.ones(50)}).retrain
    assert assess(reference, {"a": np.full(50, 2.0)}).retrain


def test_a_reference_survives_its_file_and_bounds_its_size() -> None:
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=20_000), "b": rng.normal(size=100)}
    reference = reference_of(columns, rng.normal(size=5000))
    written = json.dumps({"lineage": {"reference": reference.model_dump(mode="json")}})
    assert reference_in(json.loads(written), "m/1") == reference
    assert len(written) < 25_000
    assert reference.inputs["b"].values == tuple(sorted(columns["b"]))
    recent = {name: rng.normal(size=300) for name in columns}
    assert assess(reference_in(json.loads(written), "m/1"), recent).resolved() == assess(reference, recent).resolved()


def test_a_sketch_is_close_to_the_whole_column() -> None:
    column = np.random.default_rng(0).exponential(size=20_000)
    values = np.array(reference_of({"a": column}).inputs["a"].values)
    whole = np.sort(column)
    points = np.concatenate((values, whole))
    gap = np.searchsorted(values, points, "right") / values.size - np.searchsorted(whole, points, "right") / whole.size
    assert np.abs(gap).max() <= 1 / 400


def test_what_cannot_be_judged_is_refused() -> None:
    rng = np.random.default_rng(0)
    reference = reference_of({"close": rng.normal(size=100)})
    with pytest.raises(NeuralError, match=r"no column close\. Is it Close"):
        assess(reference, {"Close": rng.normal(size=100)})
    with pytest.raises(NeuralError, match="empty or holds infinite"):
        assess(reference, {"close": np.array([np.inf] * 30)})
    with pytest.raises(NeuralError, match="has 10 values"):
        assess(reference, {"close": rng.normal(size=10)})
    with pytest.raises(NeuralError, match="does not say what its errors were"):
        assess(reference, {"close": rng.normal(size=100)}, errors=rng.normal(size=10))
    with pytest.raises(NeuralError, match=r"level 1\.5"):
        coverage_drift(1.5, np.ones(3, np.bool_))
    with pytest.raises(NeuralError, match="needs 20 or more"):
        reference_of({"a": np.ones(5)})
    with pytest.raises(CorruptModelError, match="does not say what its training data looked like"):
        reference_in({"lineage": {}}, "m/1")
    with pytest.raises(CorruptModelError, match="cannot be read"):
        reference_in({"lineage": {"reference": {"inputs": 3}}}, "m/1")
    assert Reference(inputs={}).errors is None
