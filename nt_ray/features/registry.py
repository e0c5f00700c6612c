"""The features there are. Tests of look-ahead and of streaming run over this table."""

from nt_ray.features.base import Feature
from nt_ray.features.ema import EMA
from nt_ray.features.ols import HEDGE_RATIO
from nt_ray.features.roc import ROC
from nt_ray.features.rsi import RSI
from nt_ray.features.sma import SMA
from nt_ray.features.stddev import STDDEV
from nt_ray.features.zscore import ZSCORE

FEATURES: tuple[Feature, ...] = (SMA, EMA, STDDEV, ZSCORE, ROC, RSI, HEDGE_RATIO)
