import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.neural.inference.one_window import is_flat, measure, measure_rows
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.scaling import FLAT, UNIT, fit_scaler, window_scale
from nt_ray.neural.training.recipe import Scaling


def by_hand(scaling: str, seen: np.ndarray) -> tuple[float, float]:
    if scaling == "standard":
        return float(np.mean(seen)), float(np.std(seen))
    if scaling == "robust":
        middle = np.median(seen)
        return float(middle), float(np.median(np.abs(seen - middle)) * 1.4826)
    return float(seen[-1]), float(np.sqrt(np.mean((seen - seen[-1]) ** 2)))


@pytest.mark.parametrize("scaling", ["standard", "robust", "last"])
@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), length=st.integers(2, 20))
def test_a_window_is_scaled_by_what_was_observed_in_it(scaling: Scaling, seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(3.0, 2.0, size=(4, length))
    mask = rng.random((4, length)) < 0.6
    mask[:, rng.integers(length)] = True
    tensor = torch.from_numpy(np.where(mask, values, 0.0))
    location, scale = window_scale(scaling, tensor, torch.from_numpy(mask.astype(np.float64)))
    rows = measure_rows(scaling, np.where(mask, values, np.nan))
    for i in range(4):
        centre, spread = by_hand(scaling, values[i][mask[i]])
        assert float(location[i, 0]) == pytest.approx(centre)
        flat = spread <= abs(centre) * FLAT
        assert float(scale[i, 0]) == pytest.approx(abs(centre) * UNIT if flat else spread, rel=1e-6, abs=1e-9)
        assert measure(scaling, values[i][mask[i]]) == pytest.approx((centre, spread), abs=1e-12)
        assert tuple(rows[i]) == measure(scaling, values[i][mask[i]])
        assert is_flat(centre, spread) == flat


@pytest.mark.parametrize("scaling", ["standard", "robust", "last"])
def test_a_full_mask_and_none_scale_alike(scaling: Scaling) -> None:
    values = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(
        window_scale(scaling, values, None), window_scale(scaling, values, torch.ones_like(values)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("scaling", ["standard", "robust", "last"])
def test_a_constant_window_takes_a_hundredth_of_its_level(scaling: Scaling) -> None:
    values = torch.tensor([[50.0] * 6, [0.0] * 6, [-3.0] * 6])
    location, scale = window_scale(scaling, values, None)
    assert location[:, 0].tolist() == pytest.approx([50.0, 0.0, -3.0])
    assert scale[:, 0].tolist() == pytest.approx([0.5, 0.01, 0.03])
    nothing = window_scale(scaling, torch.zeros(1, 6), torch.zeros(1, 6))
    assert [float(part) for part in nothing] == pytest.approx([0.0, UNIT])


def test_fold_scales_come_from_the_training_rows_alone(gappy: SeriesPanel) -> None:
    scaler = fit_scaler(gappy, 200, True, True)
    np.testing.assert_allclose(scaler.location, np.nanmean(gappy.target[:, :200], axis=1))
    np.testing.assert_allclose(scaler.scale, np.nanstd(gappy.target[:, :200], axis=1))
    np.testing.assert_allclose(scaler.past[1], np.nanstd(gappy.past[:, :200].reshape(-1, 2), axis=0))
    for values in (gappy.target, gappy.past, gappy.future):
        values[:, 200:] = 1e9
    after = fit_scaler(gappy, 200, True, True)
    for name in ("location", "scale", "past", "future", "static"):
        np.testing.assert_array_equal(getattr(after, name), getattr(scaler, name))


def test_scales_go_by_name(waves: SeriesPanel) -> None:
    scaler = fit_scaler(waves, 300, True, False)
    location, _ = scaler.of(waves.select(["c", "a"]))
    np.testing.assert_array_equal(location, scaler.location[[2, 0]])
    stranger = SeriesPanel(("aa",), waves.times, waves.target[:1])
    with pytest.raises(NeuralError, match=r"'aa'; did you mean 'a'.*fitted by series"):
        scaler.of(stranger)
    assert fit_scaler(waves, 300, False, False).of(stranger)[1].tolist() == [1.0]


def test_a_constant_series_or_input_has_a_scale(waves: SeriesPanel) -> None:
    flat = SeriesPanel(("a",), waves.times, np.full((1, 300), 7.0), np.full((1, 300, 1), 3.0), ("level",))
    scaler = fit_scaler(flat, 300, True, True)
    assert scaler.scale[0] == pytest.approx(0.07)
    assert scaler.past[:, 0].tolist() == [3.0, 1.0]
