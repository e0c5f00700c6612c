"""The bars since a version was trained, as its drift is judged by: columns, errors and hits of intervals."""

from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np

from nt_ray.config import Settings
from nt_ray.errors import BadInputError
from nt_ray.trader.data import load_bars

if TYPE_CHECKING:
    from nt_ray.neural.drift.retraining import Recent
    from nt_ray.neural.registry.manifest import Manifest
    from nt_ray.neural.registry.registry import Registry


class UnwatchableError(BadInputError):
    """A version that bars cannot be compared with; `bars` have come since its training."""

    code = "unwatchable"

    def __init__(self, message: str, bars: int = 0) -> None:
        super().__init__(message)
        self.bars = bars


def bars_since(settings: Settings, registry: "Registry", manifest: "Manifest") -> "tuple[int, Recent]":
    """Bars after the training of a version, and what is watched of them; raises where that cannot be told.

    Bars before them give the first forecasts their look-back.
    """
    from nt_ray.neural.drift.drift_reference import FEWEST
    from nt_ray.neural.drift.observed import column, columns_of, errors_of, origins_of
    from nt_ray.neural.drift.retraining import Recent, reference_of_version
    from nt_ray.neural.inference.bundle import load_bundle
    from nt_ray.neural.series.sources import from_bars
    from nt_ray.neural.training.choice import FIELDS

    place = f"{manifest.name}/{manifest.version}"
    config, signature = manifest.lineage.get("config", {}), manifest.signature
    target = config.get("target", settings.neural.training.target)
    if target not in FIELDS or manifest.trained_until is None:
        raise UnwatchableError("It was not trained on bars, or does not say until when. Give a table of its rows.")
    reference = reference_of_version(registry, place)
    past, future = signature.get("past", ()), signature.get("future", ())
    of_inputs = {column(series, name) for series in reference.inputs for name in (*past, *future)}
    symbols = tuple(name for name in reference.inputs if name not in of_inputs)
    bars = load_bars(settings.data.model_copy(update={"symbols": symbols}))
    panel = from_bars(bars, FIELDS[target], past=past, future=future, ahead=signature.get("horizon", 0))
    until = np.datetime64(manifest.trained_until.astimezone(UTC).replace(tzinfo=None), "us")
    first = int(np.searchsorted(panel.times, until, "right"))
    count = len(panel) - first
    if count < FEWEST:
        raise UnwatchableError(
            f"{count} bars have come since the training of {place}, and {FEWEST} are needed. Give newer data.", count
        )
    columns = columns_of(panel, first, len(panel))
    inputs = {name: columns[name] for name in reference.inputs if name in columns}
    if reference.errors is None:
        return count, Recent(inputs)
    trained = load_bundle(registry.resolve(place))
    errors, hits = errors_of(trained, panel, origins_of(trained, panel, first - 1))
    return count, Recent(inputs, errors, hits)
