"""Evidence for a promotion and the gate that weighs it.

A version becomes champion only where it was scored on data that lie after everything it, and the champion, were trained
on, and was strictly better there than the champion and than a naive forecast.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.manifest import Manifest, Record


class Evidence(Record):
    """Scores of a version, of the naive forecast and of the holder of the alias, over the same fresh windows."""

    metric: str = Field(min_length=1)
    better: Literal["lower", "higher"] = "lower"
    version: int = Field(ge=1)
    score: float
    naive: float
    naive_name: str = "repeat"
    champion_version: int | None = Field(None, ge=1)
    champion: float | None = None
    windows: int = Field(ge=0)
    start: AwareDatetime
    end: AwareDatetime
    data: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a promotion has to show.

    `margin` is the share of the rival's score by which it must be better; `least_windows` the forecasts it must have
    made; `guarded` the aliases that are given through the gate alone.
    """

    margin: float = 0.0
    least_windows: int = 30
    guarded: tuple[str, ...] = ("champion",)

    def objections(self, evidence: Evidence, candidate: Manifest, holder: Manifest | None) -> Iterator[str]:
        """Say why a candidate should not take the place of the holder; nothing where it should."""
        if evidence.version != candidate.version:
            yield f"the evidence is about version {evidence.version}"
        yield from self._freshness(evidence, candidate, "it")
        if evidence.windows < self.least_windows:
            yield f"{evidence.windows} windows are fewer than {self.least_windows}"
        yield from self._beaten(evidence, evidence.naive, f"the {evidence.naive_name} forecast")
        if holder is None or holder.version == candidate.version:
            return
        yield from self._freshness(evidence, holder, f"version {holder.version}")
        if evidence.champion_version != holder.version or evidence.champion is None:
            yield f"version {holder.version} holds the alias and was not scored beside it"
        else:
            yield from self._beaten(evidence, evidence.champion, f"version {holder.version}")

    def _beaten(self, evidence: Evidence, rival: float, name: str) -> Iterator[str]:
        lead = rival - evidence.score if evidence.better == "lower" else evidence.score - rival
        if not lead > self.margin * abs(rival):
            wanted = f" by {self.margin:.3g} of it" if self.margin else ""
            yield f"its {evidence.metric} {evidence.score:.6g} is not better than {rival:.6g} of {name}{wanted}"

    def _freshness(self, evidence: Evidence, model: Manifest, name: str) -> Iterator[str]:
        known = model.trained_until
        if known is None:
            yield f"the lineage of {name} does not say until when it was trained"
        elif evidence.start <= known:
            yield f"the data scored begin on {_day(evidence.start)}, and {name} was trained until {_day(known)}"
        if evidence.end < evidence.start:
            yield f"the data scored end on {_day(evidence.end)}, before they begin"


DEFAULT_GATE: Final = Gate()


def read_evidence(data: bytes, place: str) -> Evidence:
    """Read evidence from JSON; raises `NeuralError` that names the first wrong key."""
    try:
        return Evidence.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        keys = ", ".join(Evidence.model_fields)
        raise NeuralError(
            f"The evidence {place} cannot be used: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}. "
            f"Give a JSON object of {keys}."
        ) from error


def _day(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="minutes")
