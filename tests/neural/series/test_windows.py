import numpy as np
import pytest
import torch

from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.scaling import fit_scaler
from nt_ray.neural.series.windows import Resident, resident
from nt_ray.neural.training.recipe import Scaling

LOOKBACK, HORIZON = 10, 4
CPU = torch.device("cpu")


def put(panel: SeriesPanel, scaling: Scaling) -> Resident:
    scaler = fit_scaler(panel, 200, scaling == "fold", True)
    return resident(panel, LOOKBACK, HORIZON, scaling, scaler, CPU)


def standardised(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    flat = columns.reshape(-1, columns.shape[-1])
    return np.nan_to_num((values - np.nanmean(flat, axis=0)) / np.nanstd(flat, axis=0))


@pytest.mark.parametrize("scaling", ["none", "fold", "standard"])
def test_windows_are_the_rows_that_slicing_gives(gappy: SeriesPanel, scaling: Scaling) -> None:
    data = put(gappy, scaling)
    places = [(0, 9), (1, 40), (2, 295), (2, 9), (0, 200)]
    series, origin = (torch.tensor(column) for column in zip(*places, strict=True))
    cut = data.windows(series, origin)
    for i, (s, t) in enumerate(places):
        past, ahead = gappy.target[s, t - 9 : t + 1], gappy.target[s, t + 1 : t + 5]
        location, scale = 0.0, 1.0
        if scaling == "fold":
            location, scale = np.nanmean(gappy.target[s, :200]), np.nanstd(gappy.target[s, :200])
        if scaling == "standard":
            location, scale = np.nanmean(past), np.nanstd(past)
        # A level of 100 over a spread of 1 leaves float32 five digits of the scaled value.
        close = {"rtol": 1e-5, "atol": 1e-4}
        np.testing.assert_allclose(cut.batch.target[i], np.nan_to_num((past - location) / scale), **close)
        np.testing.assert_allclose(cut.truth.target[i], np.nan_to_num((ahead - location) / scale), **close)
        np.testing.assert_array_equal(cut.batch.mask[i], ~np.isnan(past))
        np.testing.assert_array_equal(cut.truth.mask[i], ~np.isnan(ahead))
        np.testing.assert_allclose(cut.scale.location[i], location, **close)
        np.testing.assert_allclose(cut.scale.scale[i], scale, **close)
        np.testing.assert_allclose(
            cut.batch.past[i], standardised(gappy.past[s, t - 9 : t + 1], gappy.past[:, :200]), **close
        )
        np.testing.assert_allclose(
            cut.batch.future[i], standardised(gappy.future[s, t - 9 : t + 5], gappy.future[:, :200]), **close
        )
        np.testing.assert_allclose(cut.batch.static[i], standardised(gappy.static[s], gappy.static), **close)


@pytest.mark.parametrize("scaling", ["none", "fold", "standard", "robust", "last"])
def test_history_is_the_window_without_its_truth(gappy: SeriesPanel, scaling: Scaling) -> None:
    data = put(gappy, scaling)
    series, origin = torch.tensor([0, 1, 2]), torch.tensor([20, 30, 40])
    batch, scale = data.history(series, origin)
    cut = data.windows(series, origin)
    for ours, theirs in zip((*batch, *scale), (*cut.batch, *cut.scale), strict=True):
        assert torch.equal(ours, theirs)


def test_the_last_row_forecasts_with_what_is_known_ahead(gappy: SeriesPanel) -> None:
    data = put(gappy, "none")
    batch, _ = data.history(torch.tensor([1]), torch.tensor([299]))
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(batch.future[0], standardised(gappy.future[1, 290:304], gappy.future[:, :200]), **close)


@pytest.mark.parametrize("scaling", ["none", "standard", "robust", "last"])
def test_what_comes_after_the_look_back_changes_nothing_before(waves: SeriesPanel, scaling: Scaling) -> None:
    series, origin = torch.tensor([0, 1, 2]), torch.tensor([150, 150, 150])
    before = put(waves, scaling).windows(series, origin)
    waves.target[:, 151:] = 1e6
    after = put(waves, scaling).windows(series, origin)
    for ours, theirs in zip((*before.batch, *before.scale), (*after.batch, *after.scale), strict=True):
        assert torch.equal(ours, theirs)


def test_a_step_copies_its_windows_and_nothing_of_the_history(waves: SeriesPanel) -> None:
    data = put(waves, "none")
    longer = SeriesPanel(
        ("a", "b", "c"),
        waves.times[0] + np.arange(30_000) * np.timedelta64(1, "h"),
        np.tile(waves.target, 100),
    )
    series, origin = torch.tensor([0, 1, 2]), torch.tensor([150, 150, 150])

    def allocated(held: Resident) -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as record:
            held.windows(series, origin)
        return sum(event.self_cpu_memory_usage for event in record.events() if event.self_cpu_memory_usage > 0)

    allocated(data)
    assert allocated(put(longer, "none")) == allocated(data) < 10_000
