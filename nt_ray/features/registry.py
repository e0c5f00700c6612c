"""The features there are. Tests of look-ahead and of streaming run over this table."""

from nt_ray.features.ad import AD
from nt_ray.features.adx import ADX
from nt_ray.features.atr import ATR
from nt_ray.features.bar_feature import BarFeature
from nt_ray.features.base import Feature
from nt_ray.features.bollinger import BOLLINGER
from nt_ray.features.cci import CCI
from nt_ray.features.cmf import CMF
from nt_ray.features.donchian import DONCHIAN
from nt_ray.features.efficiency import EFFICIENCY
from nt_ray.features.ema import EMA
from nt_ray.features.hv import HV
from nt_ray.features.kalman import KALMAN_HEDGE_RATIO
from nt_ray.features.keltner import KELTNER
from nt_ray.features.macd import MACD
from nt_ray.features.momentum import MOMENTUM
from nt_ray.features.obv import OBV
from nt_ray.features.ols import HEDGE_RATIO
from nt_ray.features.order_flow import ORDER_FLOW
from nt_ray.features.pattern import PATTERN
from nt_ray.features.roc import ROC
from nt_ray.features.rsi import RSI
from nt_ray.features.sar import SAR
from nt_ray.features.sma import SMA
from nt_ray.features.stddev import STDDEV
from nt_ray.features.stochastic import STOCHASTIC
from nt_ray.features.volume_oscillator import VOLUME_OSCILLATOR
from nt_ray.features.volume_profile import VOLUME_PROFILE
from nt_ray.features.vpin import VPIN
from nt_ray.features.vwap import VWAP
from nt_ray.features.williams_r import WILLIAMS_R
from nt_ray.features.wma import WMA
from nt_ray.features.zscore import ZSCORE

FEATURES: tuple[Feature, ...] = (
    SMA,
    EMA,
    WMA,
    STDDEV,
    ZSCORE,
    ROC,
    MOMENTUM,
    RSI,
    EFFICIENCY,
    HEDGE_RATIO,
    KALMAN_HEDGE_RATIO,
)
"""Features of one or two series."""

BAR_FEATURES: tuple[BarFeature, ...] = (
    AD,
    ADX,
    ATR,
    BOLLINGER,
    CCI,
    CMF,
    DONCHIAN,
    HV,
    KELTNER,
    MACD,
    OBV,
    ORDER_FLOW,
    PATTERN,
    SAR,
    STOCHASTIC,
    VOLUME_OSCILLATOR,
    VOLUME_PROFILE,
    VPIN,
    VWAP,
    WILLIAMS_R,
)
"""Features of whole bars."""
