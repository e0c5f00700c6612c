from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion, stacked
from nt_ray.neural.series.scaling import fit_scaler
from nt_ray.neural.series.splits import split_of, to_train
from nt_ray.neural.series.survey import survey
from nt_ray.neural.training.recipe import Recipe

HOST = torch.device("cpu")


@given(st.data())
def test_the_windows_of_shards_are_those_of_the_panel_in_one_piece_each_held_once(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    workers = data.draw(st.integers(1, len(sizes)))
    target = rng.normal(size=(sum(sizes), 40))
    target[rng.random(target.shape) < 0.2] = np.nan
    times = np.datetime64("2026-01-01", "us") + np.arange(40) * np.timedelta64(1, "h")
    whole = SeriesPanel(tuple(f"s{i}" for i in range(sum(sizes))), times, target)
    recipe = Recipe(model="rlinear", lookback=6, horizon=2, validate_every=0, observed=0.7, unfit="skip")
    edges = np.cumsum([0, *sizes])
    shards = [whole.select(whole.names[a:b]) for a, b in pairwise(edges)]
    facts = tuple(survey(shard, recipe) for shard in shards)
    split = split_of(whole, recipe)
    wanted = to_train(whole, recipe, split, HOST)
    assert sum(fact.training for fact in facts) == wanted.count
    every = torch.arange(wanted.count)
    found: dict[int, tuple[str, int]] = {}
    for rank in range(workers):
        held = tuple(range(rank, len(sizes), workers))
        portion = Portion(facts, held)
        panel = portion.join([shards[k] for k in held])
        mine = portion.training(to_train(panel, recipe, split, HOST))
        assert mine.count == wanted.count
        assert mine.partial == (workers > 1)
        own = mine.share(every, 0, 1)
        series, origin = mine.locate(own)
        for place, s, o in zip(own.tolist(), series.tolist(), origin.tolist(), strict=True):
            assert place not in found
            found[place] = (panel.names[s], o)
        some = mine.one()
        assert (some is None) == (not len(own))
        assert some is None or not mine.partial or int(some) in own.tolist()
    series, origin = wanted.locate(every)
    expected = [(whole.names[s], o) for s, o in zip(series.tolist(), origin.tolist(), strict=True)]
    assert [found[i] for i in range(wanted.count)] == expected


def test_a_shard_that_changed_after_it_was_counted_is_refused(waves: SeriesPanel) -> None:
    recipe = Recipe(model="rlinear", lookback=12, horizon=4)
    portion = Portion((survey(waves, recipe),), (0,))
    assert portion.join([waves]) is waves
    with pytest.raises(NeuralError, match="Shard 0 has changed"):
        portion.join([replace(waves, target=waves.target + 1.0)])


def test_scales_fitted_on_shards_are_those_fitted_on_all(waves: SeriesPanel) -> None:
    recipe = Recipe(model="rlinear", lookback=12, horizon=4, scaling="fold")
    facts = tuple(survey(waves.select((name,)), recipe) for name in waves.names)
    wanted = fit_scaler(waves, split_of(waves, recipe).train, target=True, inputs=True)
    found = Portion(facts, (1,)).scaler
    assert found.names == wanted.names
    np.testing.assert_array_equal(found.location, wanted.location)
    np.testing.assert_array_equal(found.scale, wanted.scale)


def test_inputs_are_scaled_by_the_moments_of_all_shards(gappy: SeriesPanel) -> None:
    recipe = Recipe(model="gru", lookback=12, horizon=4)
    panel = replace(gappy, static=np.empty(0), static_names=())
    facts = tuple(survey(panel.select((name,)), recipe) for name in panel.names)
    wanted = fit_scaler(panel, split_of(panel, recipe).train, target=False, inputs=True)
    found = Portion(facts, (1,)).scaler
    np.testing.assert_allclose(found.past, wanted.past, rtol=1e-12)
    np.testing.assert_allclose(found.future, wanted.future, rtol=1e-12)
    bare = Portion((survey(panel, recipe.model_copy(update={"inputs": "none"})),), (0,)).scaler
    np.testing.assert_array_equal(bare.past, [[0.0, 0.0], [1.0, 1.0]])
    joined = stacked([panel.select((name,)) for name in panel.names])
    assert joined.digest() == panel.digest()


def test_shards_with_static_inputs_and_series_that_cannot_train_are_refused(
    waves: SeriesPanel, gappy: SeriesPanel
) -> None:
    recipe = Recipe(model="rlinear", lookback=12, horizon=4)
    with pytest.raises(NeuralError, match="static inputs"):
        survey(gappy, recipe)
    with pytest.raises(NeuralError, match="'b' is 3 in every training row"):
        survey(replace(waves, target=np.where(np.arange(3)[:, None] == 1, 3.0, waves.target)), recipe)
