"""Tools about markets: what a symbol does now, and how symbols move together."""

from datetime import datetime

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of, returns_of
from deployments.gateway.mcp.schema import Figure, OfData, Output
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.errors import BadInputError
from nt_ray.features.registry import BAR_FEATURES, FEATURES
from nt_ray.portfolio.correlation import shrunk
from nt_ray.trader.jobs.spec import Symbol
from nt_ray.types import FloatArray

LENGTH, RSI_LENGTH = 20, 14
YEAR = 252
NORMAL_95 = 1.959963984540054


class OneSymbol(OfData):
    """Which symbol."""

    symbol: Symbol


class Analysis(Output):
    """A symbol at its last bar."""

    symbol: str
    time: datetime
    bars: int
    close: Figure
    change: Figure = Field(description="Return of the last bar.")
    volatility: Figure = Field(description="Annualised, of the last 60 returns.")
    high_252: Figure = Field(description="Highest close of the last 252 bars.")
    low_252: Figure
    indicators: dict[str, Figure] = Field(
        description="By name, or name.output; null while warming up or where a bar lacks a field."
    )


@tool(Category.MARKET, Scope.RISK_READ, {"symbol": "KO"})
def quick_analysis(call: Call, asked: OneSymbol) -> Analysis:
    """Look at a symbol's last bar: price, change, volatility, range of a year, and every indicator of the platform."""
    panel = bars_of(call.backend, asked, (asked.symbol,))
    rows = ~np.isnan(panel.closes[:, 0])
    bars = np.ascontiguousarray(panel.values[rows, 0])
    closes = np.ascontiguousarray(bars[:, 3])
    returns = closes[1:] / closes[:-1] - 1.0
    single = {
        f.name: f(closes, length=RSI_LENGTH if f.name == "rsi" else LENGTH)[-1] for f in FEATURES if f.inputs == 1
    }
    whole: dict[str, float] = {}
    for feature in BAR_FEATURES:
        if max(feature.fields) >= bars.shape[1]:
            continue
        last = feature(bars)[-1].tolist()
        names = [feature.name] if len(last) == 1 else [f"{feature.name}.{name}" for name in feature.outputs]
        whole |= dict(zip(names, last, strict=True))
    return Analysis(
        symbol=asked.symbol,
        time=panel.time(int(np.flatnonzero(rows)[-1])),
        bars=len(closes),
        close=float(closes[-1]),
        change=float(returns[-1]) if len(returns) else None,
        volatility=float(returns[-60:].std(ddof=1) * np.sqrt(panel.periods_per_year)) if len(returns) > 2 else None,
        high_252=float(closes[-YEAR:].max()),
        low_252=float(closes[-YEAR:].min()),
        indicators={name: float(value) for name, value in {**single, **whole}.items()},
    )


class Correlate(OfData):
    """Which symbols, how far back."""

    symbols: tuple[Symbol, ...] = Field(min_length=2, max_length=100)
    period_days: int = Field(90, ge=30, le=2520, description="Last returns, one for each bar.")


class Correlations(Output):
    """Correlations of simple returns, in the order of the symbols."""

    symbols: tuple[str, ...]
    returns: int
    matrix: tuple[tuple[Figure, ...], ...] = Field(description="Pearson, of the sample.")
    shrunk: tuple[tuple[Figure, ...], ...] = Field(description="Drawn towards zero by Ledoit and Wolf's intensity.")
    highest: tuple[str, str]
    lowest: tuple[str, str]


@tool(Category.RISK, Scope.RISK_READ, {"symbols": ["KO", "PEP", "XOM"]})
def correlation_analysis(call: Call, asked: Correlate) -> Correlations:
    """Correlate the returns of symbols, as the sample has it and shrunk; name the closest and the furthest pair."""
    symbols = _once(asked.symbols)
    returns = returns_of(bars_of(call.backend, asked, symbols), asked.period_days)
    matrix = _pearson(returns)
    drawn = shrunk(returns)
    first, second = np.triu_indices(len(symbols), 1)
    order = np.argsort(np.nan_to_num(matrix[first, second]))
    pairs = [(symbols[int(first[k])], symbols[int(second[k])]) for k in (order[-1], order[0])]
    return Correlations(
        symbols=symbols, returns=len(returns), matrix=_rows(matrix), shrunk=_rows(drawn), highest=pairs[0],
        lowest=pairs[1],
    )  # fmt: skip


class CrossCorrelate(OfData):
    """Which assets, how far back."""

    assets: tuple[Symbol, ...] = Field(min_length=2, max_length=100)
    lookback_days: int = Field(90, ge=30, le=2520)
    include_prediction_confidence: bool = True


class CrossCorrelations(Output):
    """Correlations with the interval that the sample leaves open."""

    assets: tuple[str, ...]
    returns: int
    matrix: tuple[tuple[Figure, ...], ...]
    low_95: tuple[tuple[Figure, ...], ...] | None = Field(description="Fisher's interval, for independent normal rows.")
    high_95: tuple[tuple[Figure, ...], ...] | None


@tool(Category.RISK, Scope.RISK_READ, {"assets": ["KO", "PEP"]})
def cross_asset_correlation_matrix(call: Call, asked: CrossCorrelate) -> CrossCorrelations:
    """Correlate the returns of assets, each pair with its 95 % confidence interval by Fisher's transformation."""
    assets = _once(asked.assets)
    returns = returns_of(bars_of(call.backend, asked, assets), asked.lookback_days)
    matrix = _pearson(returns)
    low = high = None
    if asked.include_prediction_confidence:
        centre = np.arctanh(np.clip(matrix, -1.0 + 1e-15, 1.0 - 1e-15))
        width = NORMAL_95 / np.sqrt(max(len(returns) - 3, 1))
        ends = [np.tanh(centre + sign * width) for sign in (-1.0, 1.0)]
        for end in ends:
            np.fill_diagonal(end, 1.0)
        low, high = (_rows(end) for end in ends)
    return CrossCorrelations(assets=assets, returns=len(returns), matrix=_rows(matrix), low_95=low, high_95=high)


def _once(symbols: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(symbols))
    if len(found) < 2:
        raise BadInputError(f"{found[0]} alone correlates with nothing. Give two different symbols or more.")
    return found


def _pearson(returns: FloatArray) -> FloatArray:
    """Correlations (N, N); NaN where a series does not vary."""
    centred = returns - returns.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    scale = np.outer(size, size)
    matrix: FloatArray = np.divide(centred.T @ centred, scale, out=np.full(scale.shape, np.nan), where=scale > 0.0)
    return np.clip(matrix, -1.0, 1.0)


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


TOOLS = (quick_analysis, correlation_analysis, cross_asset_correlation_matrix)
