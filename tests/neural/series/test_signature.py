from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.signature import Signature, signature_of
from nt_ray.neural.training.recipe import Recipe


def test_a_signature_says_what_the_panel_has_and_survives_its_text(gappy: SeriesPanel, recipe: Recipe) -> None:
    signature = signature_of(gappy, recipe)
    assert (signature.lookback, signature.horizon, signature.scaling) == (12, 4, "standard")
    assert signature.frequency == "1h"
    assert (signature.past, signature.future) == (("volume", "spread"), ("hour",))
    assert signature.static == ("size", "age")
    assert Signature.model_validate_json(signature.model_dump_json()) == signature
    signature.check(gappy)
    with pytest.raises(ValidationError, match="colour"):
        Signature.model_validate({**signature.model_dump(), "colour": "red"})


@pytest.mark.parametrize(
    ("kind", "field", "names", "words"),
    [
        ("past", "past_names", ("spread", "volume"), "past inputs ['volume', 'spread'], not on ['spread', 'volume']"),
        ("past", "past_names", ("volume", "spraed"), "did you mean 'spread'"),
        ("future", "future_names", ("minute",), "'minute'"),
        ("static", "static_names", ("age", "size"), "static inputs ['size', 'age'], not on ['age', 'size']"),
    ],
)
def test_other_names_or_another_order_are_refused(
    gappy: SeriesPanel, recipe: Recipe, kind: str, field: str, names: tuple[str, ...], words: str
) -> None:
    signature = signature_of(gappy, recipe)
    other: dict[str, Any] = {field: names}
    with pytest.raises(NeuralError) as told:
        signature.check(replace(gappy, **other))
    assert words in str(told.value)
    assert kind in str(told.value)


def test_an_input_more_and_one_less_are_refused(gappy: SeriesPanel, waves: SeriesPanel, recipe: Recipe) -> None:
    with pytest.raises(NeuralError, match="trained without it: leave it out"):
        signature_of(waves, recipe).check(gappy)
    with pytest.raises(NeuralError, match=r"past inputs \['volume', 'spread'\], not on \[\]"):
        signature_of(gappy, recipe).check(waves)


def test_rows_of_another_spacing_are_refused_and_rows_without_one_pass(waves: SeriesPanel, recipe: Recipe) -> None:
    signature = signature_of(waves, recipe)
    daily = SeriesPanel(waves.names, waves.times[0] + np.arange(300) * np.timedelta64(1, "D"), waves.target)
    with pytest.raises(NeuralError, match="rows of 1h, and these are 1d apart"):
        signature.check(daily)
    lone = SeriesPanel(waves.names, waves.times[:1], waves.target[:, :1])
    signature.check(lone)
    signature_of(lone, recipe).check(daily)
