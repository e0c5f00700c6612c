import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.portfolio.sizing import SizingParams, size_one, target_lots
from nt_ray.types import QUANTA_PER_UNIT

PRICES = st.one_of(st.floats(0.01, 1e4), st.sampled_from([math.nan, 0.0]))
CAPS = st.one_of(st.just(math.inf), st.floats(0.01, 3.0))


@settings(max_examples=300)
@given(
    exposure=st.one_of(st.floats(-1.0, 1.0), st.sampled_from([math.nan, 0.0, -0.0, 1.0])),
    price=PRICES,
    volatility=st.one_of(st.floats(0.01, 2.0), st.sampled_from([math.nan, 0.0])),
    lots=st.integers(-5000, 5000),
    lot_size=st.sampled_from([1.0, 0.001, 100.0]),
    equity=st.integers(-(10**14), 10**14),
    sizing=st.builds(
        SizingParams,
        target_volatility=st.sampled_from([math.inf, 0.2]),
        max_weight=CAPS,
        max_position=st.sampled_from([math.inf, 20_000.0]),
        max_gross=CAPS,
        max_net=CAPS,
        rebalance_band=st.sampled_from([0.0, 0.01, 0.3]),
    ),
)
def test_one_instrument_is_sized_as_one_beside_others_that_count_for_nothing(
    exposure: float, price: float, volatility: float, lots: int, lot_size: float, equity: int, sizing: SizingParams
) -> None:
    wanted = target_lots(
        np.array([math.nan, exposure]), np.array([10.0, price]), np.array([0.3, volatility]), np.array([0, lots]),
        np.array([1.0, lot_size]), equity, sizing.vector(),
    )  # fmt: skip
    params = tuple(float(value) for value in sizing.vector())
    assert size_one(exposure, price, volatility, lots, lot_size, equity, params) == wanted[1]


def test_a_target_is_the_whole_lots_that_its_weight_buys() -> None:
    params = tuple(SizingParams(target_volatility=math.inf, max_weight=1.0).vector().tolist())
    assert size_one(0.5, 30.0, 1.0, 0, 1.0, 1000 * QUANTA_PER_UNIT, params) == 16
    assert size_one(-0.5, 30.0, 1.0, 16, 1.0, 1000 * QUANTA_PER_UNIT, params) == -16
    assert size_one(0.0, 30.0, 1.0, 16, 1.0, 1000 * QUANTA_PER_UNIT, params) == 0
