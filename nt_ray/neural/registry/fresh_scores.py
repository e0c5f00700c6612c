"""Scores of a registered version on data that nothing was trained on: the evidence that the gate asks for.

The version, the holder of the alias and the naive forecast are judged on the same windows. Each begins after the last
row that either network was trained on, and none overlaps another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from nt_ray.errors import BadInputError
from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
from nt_ray.neural.inference.predictor import Tell, predict_windows, quietly
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.evidence import Evidence
from nt_ray.neural.registry.manifest import Manifest
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.registry.registry_problems import UnknownAliasError
from nt_ray.neural.scoring.naive import repeat_last
from nt_ray.neural.scoring.scores import mse
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.signature import Signature
from nt_ray.neural.training.trained import Trained
from nt_ray.types import FloatArray, IntArray

RETURNS: Final = "returns"
"""Target of which the naive forecast is zero: the last price stays."""


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """A version and its network."""

    manifest: Manifest
    trained: Trained
    target: str


def contestants(registry: Registry, text: str, alias: str) -> tuple[Contestant, Contestant | None]:
    """Find a version and the holder of an alias, None where nobody else holds it."""
    candidate = _contestant(registry, text)
    try:
        holder = _contestant(registry, f"{candidate.manifest.name}@{alias}")
    except UnknownAliasError:
        return candidate, None
    return candidate, None if holder.manifest.version == candidate.manifest.version else holder


def score_fresh(
    candidate: Contestant, holder: Contestant | None, panel: SeriesPanel, data: str = "", tell: Tell = quietly
) -> Evidence:
    """Mean squared error of both and of the naive forecast over fresh windows.

    `tell` hears how many windows of both are forecast, and of how many; what it raises ends the work.
    Raises NeuralError where the two forecast different things, where a lineage does not say until when its network was
    trained, or where no window is fresh.
    """
    both = [candidate] if holder is None else [candidate, holder]
    _comparable(both)
    origins = _fresh_origins(both, panel)
    steps = candidate.trained.signature.horizon
    rows = origins[:, None] + np.arange(1, steps + 1)
    forecasts = [
        _forecast(c.trained, panel, origins, _part(tell, at, len(both))) for at, c in enumerate(both)
    ]  # fmt: skip
    # A window that one of them cannot forecast from is judged for none.
    good = np.all([np.isfinite(f).all(axis=2) for f in forecasts], axis=0)
    truth = np.where(good[:, :, None], panel.target[:, rows], np.nan)
    naive = _naive(candidate.target, panel, origins, steps)
    scores = [_mse(truth, f) for f in (*forecasts, naive)]
    return Evidence(
        metric="mse",
        version=candidate.manifest.version,
        score=scores[0],
        naive=scores[-1],
        naive_name="zero" if candidate.target == RETURNS else "repeat",
        champion_version=None if holder is None else holder.manifest.version,
        champion=None if holder is None else scores[1],
        windows=int(np.isfinite(truth).any(axis=2).sum()),
        start=_time(panel, origins[0] + 1),
        end=_time(panel, origins[-1] + steps),
        data=data,
    )


def signatures(both: Sequence[Contestant | None]) -> tuple[Signature, ...]:
    """What the networks there are take; a panel that scores them has the inputs of each."""
    return tuple(c.trained.signature for c in both if c is not None)


def _part(tell: Tell, at: int, parts: int) -> Tell:
    """Tell of one of several forecasts of equally many windows as of all together."""
    return lambda done, total: tell(at * total + done, parts * total)


def _forecast(trained: Trained, panel: SeriesPanel, origins: IntArray, tell: Tell) -> FloatArray:
    """Means (S, O, H), from the inputs that the network was trained with."""
    own = panel.with_inputs(trained.signature.past, trained.signature.future)
    return predict_windows(trained, own, origins, tell=tell)[0]


def _contestant(registry: Registry, text: str) -> Contestant:
    manifest = registry.describe(text).manifest
    folder = registry.resolve(f"{manifest.name}/{manifest.version}")
    config: dict[str, Any] = describe_bundle(folder).lineage.config
    return Contestant(manifest, load_bundle(folder), str(config.get("target", "")))


def _comparable(both: Sequence[Contestant]) -> None:
    said = [(c.target, c.trained.signature.horizon) for c in both]
    if len(set(said)) > 1:
        told = ", ".join(f"version {c.manifest.version} {t or 'an unnamed target'} over {h} rows"
                         for c, (t, h) in zip(both, said, strict=True))  # fmt: skip
        raise NeuralError(f"They forecast different things: {told}. Give the new one a name of its own.")


def _fresh_origins(both: Sequence[Contestant], panel: SeriesPanel) -> IntArray:
    """Rows after which every window is new to all, a horizon apart."""
    for c in both:
        if c.manifest.trained_until is None:
            raise NeuralError(
                f"The lineage of version {c.manifest.version} does not say until when it was trained. Train it anew."
            )
    known = max(c.manifest.trained_until for c in both if c.manifest.trained_until is not None)
    last = int(np.searchsorted(panel.times, np.datetime64(known.astimezone(UTC).replace(tzinfo=None), "us"), "right"))
    steps = both[0].trained.signature.horizon
    back = max(c.trained.signature.lookback for c in both)
    origins = np.arange(max(last, back) - 1, len(panel) - steps, steps)
    if not len(origins):
        raise BadInputError(
            f"The data end on {_time(panel, len(panel) - 1):%Y-%m-%d}. {steps} rows after {known:%Y-%m-%d}, the end of "
            f"training, are needed, with {back} rows before them. Give newer data."
        )
    return origins.astype(np.int64)


def _naive(target: str, panel: SeriesPanel, origins: IntArray, steps: int) -> FloatArray:
    if target == RETURNS:
        return np.zeros((len(panel.names), len(origins), steps))
    return repeat_last(panel.target, origins, steps)


def _mse(truth: FloatArray, forecast: FloatArray) -> float:
    found = mse(truth, forecast)
    if found is None:
        raise NeuralError("None of the fresh windows could be judged: all is missing. Give data with fewer gaps.")
    return found


def _time(panel: SeriesPanel, row: int) -> datetime:
    found: datetime = panel.times[row].astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)
