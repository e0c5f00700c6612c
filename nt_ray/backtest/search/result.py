"""What a search leaves behind: one row a candidate, ranked, and a log from which a broken search goes on.

The frame has the columns of the searched parameters, `score` and `train_*` over the training rows, `test_*` over
the held-out rest (null where a candidate was given up early), `share` of the training rows it was last measured on,
`evaluations` and `error`. The log is a line of JSON for each finished evaluation; it is read as data only.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nt_ray.backtest.search.objective import KEPT, UNDEFINED_SCORE, Metrics, SearchError, score
from nt_ray.errors import StorageError

LOG = "evaluations.jsonl"
CANDIDATES = "candidates.parquet"

Key = tuple[tuple[tuple[str, float], ...], int, int]
"""Parameters by name, first row and row after the last: all that an evaluation depends on within one search."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of one candidate over rows `first` to `after`, or why there are none."""

    candidate: str
    values: Mapping[str, float]
    first: int
    after: int
    metrics: Mapping[str, float | None]
    error: str | None = None

    @property
    def key(self) -> Key:
        """Identity of the work done."""
        return key_of(self.values, self.first, self.after)


def key_of(values: Mapping[str, float], first: int, after: int) -> Key:
    """Identity of an evaluation, whatever the order in which parameters are named."""
    return tuple(sorted(values.items())), first, after


class EvaluationLog:
    """Finished evaluations of one search, kept on disk as they come in."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._path = folder / LOG
        self.known: dict[Key, Evaluation] = {}
        if self._path.exists():
            self._read(identity)
        else:
            self._append(identity)

    def add(self, evaluation: Evaluation) -> None:
        """Keep an evaluation; one that is known already is not written again."""
        if evaluation.key in self.known:
            return
        self.known[evaluation.key] = evaluation
        self._append(
            {
                "candidate": evaluation.candidate,
                "values": evaluation.values,
                "first": evaluation.first,
                "after": evaluation.after,
                "metrics": evaluation.metrics,
                "error": evaluation.error,
            }
        )

    def _read(self, identity: Mapping[str, Any]) -> None:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A search that was killed may have left half a line at the end.
            whole = [line for line in lines if line.endswith("\n")]
            header, *rows = [json.loads(line) for line in whole]
            self.known = {e.key: e for e in (Evaluation(**row) for row in rows)}
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(
                f"The search in {str(self._path.parent)!r} cannot be read ({error}). Start a new one without --resume."
            ) from error
        different = sorted(k for k in {*identity, *header} if identity.get(k) != header.get(k))
        if different:
            name = different[0]
            raise SearchError(
                f"The search in {str(self._path.parent)!r} had {name} = {header.get(name)!r}, not "
                f"{identity.get(name)!r}. Resume it with the same, or start a new one without --resume."
            )
        if len(whole) < len(lines):
            self._path.write_text("".join(whole), encoding="utf-8")

    def _append(self, row: Mapping[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise StorageError(
                f"{str(self._path)!r} cannot be written ({error.strerror}). Give a writable folder with --runs."
            ) from error


def candidates(last: Iterable[Evaluation], names: Sequence[str], goal: str, training: int) -> pl.DataFrame:
    """Table of candidates, best score first; those measured on all training rows before those given up early.

    Parameters
    ----------
    last
        The last evaluation of each candidate; of equal parameters one is kept.
    names
        Searched parameters, which become columns.
    goal, training
        Metric of the score, and the number of training rows.
    """
    rows: dict[Key, dict[str, Any]] = {}
    for evaluation in last:
        row: dict[str, Any] = {name: float(evaluation.values[name]) for name in names}
        found = score(evaluation.metrics, goal)
        row["score"] = None if found == UNDEFINED_SCORE else found
        row["share"] = evaluation.after / training
        row |= {f"train_{name}": evaluation.metrics.get(name) for name in KEPT}
        row["error"] = evaluation.error
        rows[evaluation.key] = row
    types = dict.fromkeys((*names, "score", "share", *(f"train_{n}" for n in KEPT)), pl.Float64)
    frame = pl.DataFrame(list(rows.values()), schema={**types, "error": pl.String})
    finished = pl.col("share") >= 1.0
    order = [finished, pl.col("score"), *(-pl.col(n) for n in names)]
    return frame.sort(order, descending=True, nulls_last=True)


def with_held_out(frame: pl.DataFrame, measured: Sequence[Metrics | None]) -> pl.DataFrame:
    """Put the held-out metrics of the first rows beside the table; null where there are none."""
    columns = [
        pl.Series(f"test_{name}", [None if m is None else m[name] for m in measured], dtype=pl.Float64) for name in KEPT
    ]
    rest = frame.height - len(measured)
    return frame.with_columns([c.extend_constant(None, rest) if rest else c for c in columns])
