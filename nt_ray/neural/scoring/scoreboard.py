"""The table of an evaluation: every method beside the naive rules, with intervals, tests and a verdict in plain words.

All rows are scored on the same origins. Errors count every origin; scores of quantiles and intervals leave out the
first origins of each walk, from which those are learned. Squared errors of origins whose horizons overlap are
compared as such. A single seed gets intervals over origins, several get Student's over seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.cross_section import information
from nt_ray.neural.scoring.distributions import calibration, coverage, crps_from_quantiles, pinball
from nt_ray.neural.scoring.evaluation import Plan, Walk, fold_origins, walk_forward
from nt_ray.neural.scoring.intervals import Calibration, interval_of, own_interval, quantiles_of
from nt_ray.neural.scoring.method import Forecasts, Method, Naive
from nt_ray.neural.scoring.naive import filled_forward, truth_at
from nt_ray.neural.scoring.permutation import permutation_null
from nt_ray.neural.scoring.scores import directional_accuracy, mae, mase, mse, rmse, seasonal_scale, smape
from nt_ray.neural.scoring.significance import (
    Comparison,
    Figure,
    diebold_mariano,
    losses_by_origin,
    over_origins,
    over_seeds,
)
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import FloatArray

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
COVERAGES = (0.8, 0.9)
SIGNIFICANT = 0.05
_WARM = 100

Kind = Literal["level", "return"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How forecasts are scored."""

    kind: Kind = "level"
    """A level moves from its last value; a return is a move itself, and the last price is a forecast of zero."""
    season: int = 1
    levels: tuple[float, ...] = LEVELS
    coverages: tuple[float, ...] = COVERAGES
    calibration: Calibration = field(default_factory=Calibration)
    draws: int = 200
    """Of the permutation null of information coefficients."""

    @property
    def reference(self) -> str:
        """The naive row that a method has to beat."""
        return "zero" if self.kind == "return" else "last value"

    @property
    def naive(self) -> tuple[str, ...]:
        """Naive rows of the table."""
        rows = ["last value", *(["seasonal"] if self.season > 1 else []), "drift", "mean"]
        return (*rows, "zero") if self.kind == "return" else tuple(rows)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One method's scores."""

    name: str
    seeds: int
    figures: Mapping[str, Figure | None]
    comparison: Comparison | None
    """Squared errors against the reference; None for the reference itself or without a difference."""
    null_p: float | None
    """p of its rank IC under the permutation null, of the mean forecast of all seeds."""
    null_95: float | None
    """Rank IC that one in twenty know-nothing forecasts exceeds."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """The table and what it says."""

    rows: tuple[Row, ...]
    reference: str
    origins: int
    warm: int
    left_out: float
    """Share of observed values that some row could not forecast, for want of history, and that no row is judged on."""
    verdicts: Mapping[str, tuple[bool, str]]
    """Of each method that is no naive rule: whether it beats the reference, and a sentence."""

    def report(self) -> dict[str, Any]:
        """Plain data, as JSON holds it."""
        return {
            "reference": self.reference,
            "origins": self.origins,
            "warm_origins": self.warm,
            "left_out": self.left_out,
            "rows": [_row_report(row) for row in self.rows],
            "verdicts": {name: {"beats": beats, "why": why} for name, (beats, why) in self.verdicts.items()},
        }

    def table(self) -> list[list[str]]:
        """Rows of text, the head first."""
        names = list(self.rows[0].figures)
        body = [[row.name, *(_shown(row.figures[name]) for name in names)] for row in self.rows]
        return [["", *names], *body]


def evaluate(
    panel: SeriesPanel, methods: Sequence[Method], plan: Plan, terms: Terms | None = None
) -> tuple[Board, tuple[Walk, ...]]:
    """Walk all methods and the naive rules forward over a panel, and score them."""
    terms = terms or Terms()
    horizons = {m.horizon for m in methods}
    if len(horizons) != 1:
        raise NeuralError(f"Methods forecast {sorted(horizons)} steps. Compare methods of one horizon.")
    taken = [m.name for m in methods if m.name in terms.naive]
    if taken or len({m.name for m in methods}) != len(methods):
        raise NeuralError(f"Names {[m.name for m in methods]} are not distinct from each other and the naive rows.")
    horizon = horizons.pop()
    one_seed = Plan(**{**asdict(plan), "seeds": plan.seeds[:1], "refit": "once"})
    walks = [walk_forward(panel, Naive(name, horizon, terms.season), one_seed) for name in terms.naive]
    walks += [walk_forward(panel, method, plan) for method in methods]
    return score(panel, walks, plan, terms), tuple(walks)


def score(panel: SeriesPanel, walks: Sequence[Walk], plan: Plan, terms: Terms | None = None) -> Board:
    """Score walks over the same origins; the reference row is among them."""
    terms = terms or Terms()
    origins = walks[0].origins
    if any(not np.array_equal(w.origins, origins) for w in walks):
        raise NeuralError("Walks start from different origins. Score walks of one plan and one horizon.")
    horizon = walks[0].forecasts[0].mean.shape[2]
    split, _ = fold_origins(len(panel), horizon, plan)[0]
    truth = truth_at(panel.target, origins, horizon)
    asked = int(np.isfinite(truth).sum())
    # What one row cannot forecast (too little history) is scored for none.
    silent = np.any([~np.isfinite(made.mean) for w in walks for made in w.forecasts], axis=0)
    truth[silent.any(axis=2)] = np.nan
    overlap = -(-horizon // plan.stride)
    sheet = _Sheet(
        terms=terms,
        truth=truth,
        last=filled_forward(panel.target)[:, origins],
        scale=seasonal_scale(panel.target[:, split.train[0] : split.train[-1] + 1], terms.season),
        warm=min(overlap + _WARM, len(origins) // 2),
        overlap=overlap,
    )
    losses = {w.name: sheet.losses(w) for w in walks}
    if terms.reference not in losses:
        raise NeuralError(f"The row {terms.reference!r} is missing. Walk the naive rules too.")
    rows = tuple(sheet.row(w, losses[w.name], losses[terms.reference]) for w in walks)
    verdicts = {
        row.name: _verdict(row, losses[row.name], losses[terms.reference], terms)
        for row in rows
        if row.name not in terms.naive
    }
    left_out = 1.0 - int(np.isfinite(truth).sum()) / asked if asked else 0.0
    return Board(rows, terms.reference, len(origins), sheet.warm, left_out, verdicts)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Sheet:
    """What every row is scored against."""

    terms: Terms
    truth: FloatArray
    last: FloatArray
    scale: FloatArray
    warm: int
    overlap: int

    def losses(self, walk: Walk) -> FloatArray:
        """Squared error of each origin and seed, (seeds, O)."""
        return np.stack([losses_by_origin(self.truth, made.mean) for made in walk.forecasts])

    def row(self, walk: Walk, losses: FloatArray, reference: FloatArray) -> Row:
        """Score one walk."""
        found = [self._scores(made) for made in walk.forecasts]
        figures = {name: self._figure(name, [f[name] for f in found], walk) for name in found[0]}
        null = None
        if len(self.truth) > 2:
            came = self._signal(self.truth)
            said = np.mean([self._signal(made.mean) for made in walk.forecasts], axis=0)
            null = permutation_null(came, said, gap=self.overlap, draws=self.terms.draws)
        same = walk.name == self.terms.reference
        return Row(
            walk.name,
            len(walk.seeds),
            figures,
            None if same else diebold_mariano(losses.mean(axis=0), reference.mean(axis=0), self.overlap),
            None if null is None else null.p_value,
            None if null is None else null.quantile(0.95),
        )

    def _scores(self, made: Forecasts) -> dict[str, float | None]:
        truth, terms = self.truth, self.terms
        reference: FloatArray | float = 0.0 if terms.kind == "return" else self.last[:, :, None]
        result = {
            "mse": mse(truth, made.mean),
            "mae": mae(truth, made.mean),
            "rmse": rmse(truth, made.mean),
            "mase": mase(truth, made.mean, self.scale),
            "smape": smape(truth, made.mean),
            "direction": directional_accuracy(truth, made.mean, reference),
        }
        return result | self._distribution(made) | self._information(made)

    def _distribution(self, made: Forecasts) -> dict[str, float | None]:
        """Scores of quantiles and intervals over the origins after the first ones."""
        later, terms = slice(self.warm, None), self.terms
        truth, levels = self.truth[:, later], np.array(terms.levels)
        quantiles = quantiles_of(made, self.truth, terms.levels, terms.calibration)[:, later]
        whole = bool(np.isfinite(quantiles).all())
        losses = pinball(truth, quantiles, levels) if whole else None
        result = {
            "crps": crps_from_quantiles(truth, quantiles, levels) if whole else None,
            "pinball": None if losses is None else float(losses.mean()),
        }
        for share in terms.coverages:
            bounds = interval_of(made, self.truth, share, terms.calibration)
            low, high = bounds.low[:, later], bounds.high[:, later]
            spans = (high - low)[~np.isnan(truth)]
            result[f"coverage_{share:.0%}"] = coverage(truth, low, high)
            # The median: an interval that asks for certainty is infinitely wide.
            result[f"width_{share:.0%}"] = float(np.median(spans)) if spans.size else None
            own = own_interval(made, share)
            result[f"own_coverage_{share:.0%}"] = (
                None if own is None else coverage(truth, own.low[:, later], own.high[:, later])
            )
        return result

    def _information(self, made: Forecasts) -> dict[str, float | None]:
        came, said = self._signal(self.truth), self._signal(made.mean)
        plain, ranked = information(came, said), information(came, said, rank=True)
        return {
            "ic": None if plain is None else plain.mean,
            "icir": None if plain is None else plain.ratio,
            "rank_ic": None if ranked is None else ranked.mean,
            "rank_icir": None if ranked is None else ranked.ratio,
        }

    def _signal(self, values: FloatArray) -> FloatArray:
        """Move over the whole horizon, (S, O)."""
        if self.terms.kind == "return":
            moved: FloatArray = values.sum(axis=2)
        else:
            moved = values[:, :, -1] - self.last
        return moved

    def _figure(self, name: str, values: Sequence[float | None], walk: Walk) -> Figure | None:
        known = [v for v in values if v is not None]
        if len(known) < len(values):
            return None
        power = {"mse": 2, "mae": 1}.get(name)
        if len(values) > 1 or power is None:
            return over_seeds(known)
        found = over_origins(losses_by_origin(self.truth, walk.forecasts[0].mean, power), self.overlap)
        # Where values are missing, a mean of origins' means is not the mean over all values.
        return replace(found, value=known[0])


def calibration_of(panel: SeriesPanel, made: Forecasts, terms: Terms | None = None) -> FloatArray | None:
    """Share of truths at or below the quantile of each level, (Q,), over the later half of the origins."""
    terms = terms or Terms()
    truth = truth_at(panel.target, made.origins, made.mean.shape[2])
    quantiles = quantiles_of(made, truth, terms.levels, terms.calibration)
    later = slice(len(made.origins) // 2, None)
    if not np.isfinite(quantiles[:, later]).all():
        return None
    return calibration(truth[:, later], quantiles[:, later], np.array(terms.levels))


def _verdict(row: Row, losses: FloatArray, reference: FloatArray, terms: Terms) -> tuple[bool, str]:
    """Whether a method beats the reference beyond luck, and the sentence that says so."""
    name = "the last value" if terms.kind == "level" else "the last price (a return of zero)"
    own, other = float(np.nanmean(losses)), float(np.nanmean(reference))
    change = own / other - 1.0 if other > 0.0 else 0.0
    better = int(np.sum(np.nanmean(losses, axis=1) < other))
    p = 1.0 if row.comparison is None else row.comparison.p_value
    beats = own < other and p < SIGNIFICANT and better == len(losses)
    size = f"Its squared error is {abs(change):.2%} {'lower' if change < 0.0 else 'higher'}"
    doubt = "" if beats or own >= other else ", which may be luck"
    seeds = f", better in {better} of {len(losses)} seeds" if len(losses) > 1 else ""
    count = losses.shape[1]
    return beats, (
        f"{row.name} beats {name}: {'yes' if beats else 'no'}. {size}{doubt} "
        f"({'p < 0.001' if p < 0.001 else f'p = {p:.3f}'} by Diebold and Mariano over {count:,} origins{seeds})."
    )


def _row_report(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "seeds": row.seeds,
        **{name: None if figure is None else asdict(figure) for name, figure in row.figures.items()},
        "against_reference": None if row.comparison is None else asdict(row.comparison),
        "rank_ic_p": row.null_p,
        "rank_ic_null_95": row.null_95,
    }


def _shown(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}"
    return f"{figure.value:.4g} [{figure.low:.4g}, {figure.high:.4g}]"
