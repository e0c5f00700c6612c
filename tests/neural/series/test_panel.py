from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel


def test_inputs_that_are_not_given_are_empty(waves: SeriesPanel) -> None:
    assert waves.past.shape == (3, 300, 0)
    assert waves.future.shape == (3, 300, 0)
    assert waves.static.shape == (3, 0)
    assert waves.frequency == "1h"
    assert waves.ahead == 0


def test_rows_cut_the_target_and_leave_what_is_known_ahead(gappy: SeriesPanel) -> None:
    cut = gappy.rows(50, 60)
    np.testing.assert_array_equal(cut.target, gappy.target[:, 50:60])
    np.testing.assert_array_equal(cut.past, gappy.past[:, 50:60])
    np.testing.assert_array_equal(cut.future, gappy.future[:, 50:])
    assert cut.times[0] == gappy.times[50]
    assert cut.ahead == 312 - 60
    assert gappy.ahead == 12


def test_a_panel_without_future_inputs_knows_nothing_ahead(waves: SeriesPanel) -> None:
    assert waves.rows(0, 100).ahead == 0


def test_select_orders_series_with_their_inputs(gappy: SeriesPanel) -> None:
    chosen = gappy.select(["c", "a"])
    assert chosen.names == ("c", "a")
    np.testing.assert_array_equal(chosen.target, gappy.target[[2, 0]])
    np.testing.assert_array_equal(chosen.static, gappy.static[[2, 0]])


def test_the_digest_changes_with_every_part_and_with_nothing_else(gappy: SeriesPanel) -> None:
    same = replace(gappy, target=gappy.target.copy())
    assert same.digest() == gappy.digest()
    others = [replace(gappy, names=("a", "b", "d")), replace(gappy, times=gappy.times + np.timedelta64(1, "s"))]
    for name in ("target", "past", "future", "static"):
        values = np.nan_to_num(getattr(gappy, name))
        values.flat[3] += 1e-9
        others.append(replace(gappy, **{name: values}))
    assert len({panel.digest() for panel in [gappy, *others]}) == 7


def test_two_kinds_of_missing_have_one_digest(waves: SeriesPanel) -> None:
    quiet, other = waves.target.copy(), waves.target.copy()
    quiet[0, 5] = np.nan
    other.view(np.uint64)[0, 5] = 0x7FF8DEADBEEF0001
    assert np.isnan(other[0, 5])
    assert replace(waves, target=quiet).digest() == replace(waves, target=other).digest()


def infinite(panel: SeriesPanel) -> dict[str, Any]:
    target = panel.target.copy()
    target[1, 17] = np.inf
    return {"target": target}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (infinite, "series 'b', row 17.*NaN"),
        (lambda p: {"names": ("a", "a", "b")}, "'a'.*twice"),
        (lambda p: {"names": ("a", "b")}, "2 series"),
        (lambda p: {"times": p.times[::-1]}, "strictly at row 1"),
        (lambda p: {"past": p.past[:, :10]}, "10 past"),
        (lambda p: {"future": p.future[:, :10]}, "10 future"),
        (lambda p: {"past_names": ("volume",)}, "past inputs have the shape"),
        (lambda p: {"past_names": ("volume", "volume")}, "Name each once"),
        (lambda p: {"static": p.static[:2]}, "static inputs have the shape"),
    ],
)
def test_what_makes_no_panel_is_refused(
    gappy: SeriesPanel, change: Callable[[SeriesPanel], dict[str, Any]], words: str
) -> None:
    with pytest.raises(NeuralError, match=words):
        replace(gappy, **change(gappy))


def test_unknown_series_and_rows_are_refused_with_the_nearest(waves: SeriesPanel) -> None:
    with pytest.raises(NeuralError, match=r"'zz'.*There are: a, b, c"):
        waves.select(["zz"])
    with pytest.raises(NeuralError, match="Rows 5 to 301"):
        waves.rows(5, 301)
