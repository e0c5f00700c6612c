"""Strategies of one symbol over whole bars: open, high, low and volume as well as the close."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.strategies.base import Strategy
from nt_ray.strategies.registry import STRATEGIES
from nt_ray.types import FloatArray

SINGLE = [s for s in STRATEGIES if s.width == 1 and not s.inputs]
every_strategy = pytest.mark.parametrize("strategy", SINGLE, ids=lambda s: s.name)


@every_strategy
@pytest.mark.parametrize("change", [1.3, np.nan])
def test_the_future_of_no_field_changes_anything_before_it(
    strategy: Strategy, change: float, bars: FloatArray, drive_bars: Any
) -> None:
    before = drive_bars(strategy, bars[:420])
    for field in range(5):
        changed = bars[:420].copy()
        changed[390:, field] *= change
        after = drive_bars(strategy, changed)
        assert after[0][:390].tobytes() == before[0][:390].tobytes()
        assert after[1][:390].tobytes() == before[1][:390].tobytes()


@every_strategy
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_no_vote_leaves_its_range_whatever_the_other_fields_hold(
    strategy: Strategy, seed: int, bars: FloatArray, drive_bars: Any
) -> None:
    generator = np.random.default_rng(seed)
    broken = bars[:320].copy()
    for field in (0, 1, 2, 4):
        rows = generator.random(320) < 0.2
        broken[rows, field] = generator.choice([np.nan, np.inf, -np.inf, 0.0, -5.0, 1e12], rows.sum())
    targets, confidence = drive_bars(strategy, broken)
    assert (np.abs(targets) <= 1.0).all()
    assert ((confidence >= 0.0) & (confidence <= 1.0)).all()
