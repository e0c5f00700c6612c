"""Bar features against TA-Lib, each on twenty years of daily bars, whole arrays, warm-up included."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from nt_ray.features.ad import AD
from nt_ray.features.adx import ADX
from nt_ray.features.atr import ATR
from nt_ray.features.bar_feature import BarFeature
from nt_ray.features.bollinger import BOLLINGER
from nt_ray.features.cci import CCI
from nt_ray.features.donchian import DONCHIAN
from nt_ray.features.macd import MACD
from nt_ray.features.obv import OBV
from nt_ray.features.sar import SAR
from nt_ray.features.stochastic import STOCHASTIC
from nt_ray.features.volume_oscillator import VOLUME_OSCILLATOR
from nt_ray.features.williams_r import WILLIAMS_R
from nt_ray.types import FloatArray

Oracle = Callable[..., Any]

CASES: list[tuple[BarFeature, str, dict[str, float], Oracle]] = [
    *((ATR, "atr", {"length": n}, lambda o, h, lo, c, v, n=n: talib.ATR(h, lo, c, n)) for n in (2, 14, 50)),
    *((ADX, "adx", {"length": n}, lambda o, h, lo, c, v, n=n: talib.ADX(h, lo, c, n)) for n in (2, 14, 30)),
    *((ADX, "plus_di", {"length": n}, lambda o, h, lo, c, v, n=n: talib.PLUS_DI(h, lo, c, n)) for n in (2, 14, 30)),
    *((ADX, "minus_di", {"length": n}, lambda o, h, lo, c, v, n=n: talib.MINUS_DI(h, lo, c, n)) for n in (2, 14, 30)),
    (BOLLINGER, "upper", {"length": 20, "width": 2.5}, lambda o, h, lo, c, v: talib.BBANDS(c, 20, 2.5, 2.5)[0]),
    (BOLLINGER, "middle", {"length": 20, "width": 2.5}, lambda o, h, lo, c, v: talib.BBANDS(c, 20, 2.5, 2.5)[1]),
    (BOLLINGER, "lower", {"length": 20, "width": 2.5}, lambda o, h, lo, c, v: talib.BBANDS(c, 20, 2.5, 2.5)[2]),
    (MACD, "line", {}, lambda o, h, lo, c, v: talib.MACD(c)[0]),
    (MACD, "signal", {}, lambda o, h, lo, c, v: talib.MACD(c)[1]),
    (MACD, "histogram", {}, lambda o, h, lo, c, v: talib.MACD(c)[2]),
    (MACD, "histogram", {"fast": 3, "slow": 40, "signal": 5}, lambda o, h, lo, c, v: talib.MACD(c, 3, 40, 5)[2]),
    (DONCHIAN, "upper", {"length": 20}, lambda o, h, lo, c, v: talib.MAX(h, 20)),
    (DONCHIAN, "lower", {"length": 20}, lambda o, h, lo, c, v: talib.MIN(lo, 20)),
    (STOCHASTIC, "d", {}, lambda o, h, lo, c, v: talib.STOCH(h, lo, c, 14, 3, 0, 3, 0)[1]),
    (STOCHASTIC, "d", {"length": 5, "smooth": 1}, lambda o, h, lo, c, v: talib.STOCHF(h, lo, c, 5, 3, 0)[1]),
    (WILLIAMS_R, "r", {"length": 14}, lambda o, h, lo, c, v: talib.WILLR(h, lo, c, 14)),
    (CCI, "cci", {"length": 20}, lambda o, h, lo, c, v: talib.CCI(h, lo, c, 20)),
    (OBV, "obv", {}, lambda o, h, lo, c, v: talib.OBV(c, v)),
    (AD, "ad", {}, lambda o, h, lo, c, v: talib.AD(h, lo, c, v)),
    (VOLUME_OSCILLATOR, "oscillator", {"fast": 5, "slow": 20}, lambda o, h, lo, c, v: talib.PPO(v, 5, 20, 0)),
    (SAR, "sar", {}, lambda o, h, lo, c, v: talib.SAR(h, lo)),
    (SAR, "sar", {"acceleration": 0.05, "maximum": 0.3}, lambda o, h, lo, c, v: talib.SAR(h, lo, 0.05, 0.3)),
]


@pytest.mark.parametrize(
    ("feature", "output", "values", "oracle"),
    CASES,
    ids=[f"{f.name}-{output}-{'-'.join(f'{v:g}' for v in values.values())}" for f, output, values, _ in CASES],
)
def test_it_is_talibs(
    feature: BarFeature, output: str, values: dict[str, float], oracle: Oracle, bars: FloatArray
) -> None:
    expected = oracle(*(np.ascontiguousarray(column) for column in bars.T))
    found = feature(bars, **values)[:, feature.outputs.index(output)]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-7)


def test_k_is_known_before_d_and_agrees_where_talib_shows_it(bars: FloatArray) -> None:
    expected = talib.STOCH(*np.ascontiguousarray(bars[:, 1:4].T), 14, 3, 0, 3, 0)[0]
    found = STOCHASTIC(bars)[:, 0]
    shown = ~np.isnan(expected)
    np.testing.assert_allclose(found[shown], expected[shown], rtol=1e-9, atol=1e-9)
    assert np.flatnonzero(~np.isnan(found))[0] == np.flatnonzero(shown)[0] - 2
