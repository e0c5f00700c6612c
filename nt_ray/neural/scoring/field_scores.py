"""Is a forecast in the bars worth anything: its scores beside those of forecasts that cost nothing, and a verdict.

A field is judged as it is traded: the expected simple return over the next H bars, against what came. Bars without a
forecast are judged for no row. All rows are scored on the same bars and instruments. Where forecasts come from is not
known here; a column of the data is judged like one that was trained.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nt_ray.market.bars import BarPanel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring import naive
from nt_ray.neural.scoring.cross_section import information
from nt_ray.neural.scoring.scores import directional_accuracy, mse
from nt_ray.neural.scoring.significance import Comparison, diebold_mariano, losses_by_origin
from nt_ray.neural.series.sources import from_bars
from nt_ray.types import FloatArray, IntArray

SIGNIFICANT = 0.05
FORECAST, LAST_PRICE, LAST_MOVE, MEAN_MOVE = "forecast", "last price", "last move", "mean move"
NAIVE = {LAST_PRICE: "zero", LAST_MOVE: "last value", MEAN_MOVE: "mean"}
"""Naive rules over returns, by what they say of the price: it stays, moves on as it did last, or as it does on average.
"""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one row; None is undefined."""

    mse_ratio: float | None
    """Mean squared error over that of the last price, below 1 where it is better."""
    direction: float | None
    """Share of moves whose sign was forecast; no move forecast counts one half."""
    ic: float | None
    """Mean correlation over the instruments of a bar."""
    rank_ic: float | None


@dataclass(frozen=True, slots=True)
class FieldScores:
    """A forecast beside the naive ones."""

    horizon: int
    first: str
    """Time of the first forecast that is judged."""
    bars: int
    values: int
    """Forecasts that are judged."""
    rows: Mapping[str, Scores]
    against: Comparison | None
    """Squared errors against the last price; None without any difference or with too few bars."""
    beats: bool
    verdict: str

    def report(self) -> dict[str, Any]:
        """Plain data, as JSON holds it."""
        return asdict(self)


def score_field(bars: BarPanel, field: FloatArray, horizon: int) -> FieldScores:
    """Score a field (T, N) of expected simple returns over the next `horizon` bars, NaN where there is none."""
    panel = from_bars(bars, "return")
    came = moved(bars, horizon)
    known = np.isfinite(field.T) & np.isfinite(came)
    origins = np.flatnonzero(known.any(axis=0))
    if not len(origins):
        raise NeuralError(
            f"No forecast of the field has {horizon} bars after it to be judged by. "
            "Give more bars, or make the first forecast sooner."
        )
    truth = np.where(known, came, np.nan)[:, origins]
    said = {FORECAST: np.where(known, field.T, 0.0)[:, origins]}
    said |= {name: _naive(panel.target, origins, horizon, rule) for name, rule in NAIVE.items()}
    zero = mse(truth, said[LAST_PRICE])
    rows = {name: _scores(truth, values, zero) for name, values in said.items()}
    losses = [losses_by_origin(truth[:, :, None], said[name][:, :, None]) for name in (FORECAST, LAST_PRICE)]
    against = diebold_mariano(losses[0], losses[1], horizon)
    beats, verdict = _verdict(rows, against, len(origins))
    first = bars.time(int(origins[0])).isoformat()
    return FieldScores(horizon, first, len(origins), int(known.sum()), rows, against, beats, verdict)


def moved(bars: BarPanel, horizon: int) -> FloatArray:
    """Simple return over the next `horizon` bars, (N, T); NaN where one of the two bars has no close."""
    closes = bars.closes.T
    result = np.full(closes.shape, np.nan)
    if horizon < closes.shape[1]:
        result[:, :-horizon] = closes[:, horizon:] / closes[:, :-horizon] - 1.0
    return result


def _naive(target: FloatArray, origins: IntArray, horizon: int, rule: str) -> FloatArray:
    """Simple return over the horizon, (N, O), that a naive rule over log returns says; 0 where it says nothing."""
    said: FloatArray = np.nan_to_num(np.expm1(naive.RULES[rule](target, origins, horizon, 1).sum(axis=2)))
    return said


def _scores(truth: FloatArray, said: FloatArray, zero: float | None) -> Scores:
    own = mse(truth, said)
    plain, ranked = information(truth, said), information(truth, said, rank=True)
    return Scores(
        own / zero if own is not None and zero else None,
        directional_accuracy(truth, said, 0.0),
        None if plain is None else plain.mean,
        None if ranked is None else ranked.mean,
    )


def _verdict(rows: Mapping[str, Scores], against: Comparison | None, bars: int) -> tuple[bool, str]:
    """Whether the forecast beats the last price beyond luck, and the sentences that say so."""
    ratio = rows[FORECAST].mse_ratio
    if ratio is None or against is None:
        return False, f"The forecast cannot be told from the last price over {bars:,} bars."
    beats = ratio < 1.0 and against.p_value < SIGNIFICANT
    p = "p < 0.001" if against.p_value < 0.001 else f"p = {against.p_value:.3f}"
    doubt = ", which may be luck" if ratio < 1.0 and not beats else ""
    size = f"Its squared error is {abs(ratio - 1.0):.2%} {'lower' if ratio < 1.0 else 'higher'}{doubt}"
    return beats, (
        f"The forecast beats the last price: {'yes' if beats else 'no'}. {size} "
        f"({p} by Diebold and Mariano over {bars:,} bars)."
    ) + _direction(rows)


def _direction(rows: Mapping[str, Scores]) -> str:
    own, rises = rows[FORECAST].direction, rows[MEAN_MOVE].direction
    if own is None or rises is None:
        return ""
    return f" It names the sign of {own:.1%} of moves; the mean move so far names that of {rises:.1%}."
