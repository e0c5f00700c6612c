"""What is searched, on what and by which figure: the question that every window of a walk-forward answers."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.schedule import Stage, Stretch
from nt_ray.backtest.research.scores import find_score, score
from nt_ray.backtest.research.space import candidates
from nt_ray.backtest.research.splits import Split
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy
from nt_ray.types import FloatArray

WARM_ROWS = 252
"""Rows before a window that its strategy sees without trading, so that a long memory is no handicap."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Study:
    """A search over candidates; immutable, so that any thread or process may answer any window of it."""

    panel: BarPanel
    strategy: Strategy
    candidates: FloatArray
    """(K, parameters), each a vector of the strategy."""
    sizing: SizingParams
    costs: Costs
    cash: Decimal
    metric: str = "sharpe"
    warm: int = WARM_ROWS

    def __post_init__(self) -> None:
        find_score(self.metric)
        if self.warm < 0:
            raise ResearchError(f"warm={self.warm} is negative. Use 0 or more rows.")
        shape = (len(self.candidates), len(self.strategy.parameters))
        if self.candidates.shape != shape or len(self.candidates) == 0:
            raise ResearchError(
                f"Candidates have shape {self.candidates.shape}. Give at least one row of {shape[-1]} parameters."
            )

    @classmethod
    def of(
        cls,
        panel: BarPanel,
        strategy: Strategy,
        space: Mapping[str, Sequence[float]],
        *,
        sizing: SizingParams,
        costs: Costs,
        cash: Decimal,
        metric: str = "sharpe",
        warm: int = WARM_ROWS,
    ) -> "Study":
        """Make the study of a parameter space."""
        return cls(
            panel=panel,
            strategy=strategy,
            candidates=candidates(strategy, space),
            sizing=sizing,
            costs=costs,
            cash=cash,
            metric=metric,
            warm=warm,
        )

    def stage(self) -> Stage:
        """Make the panel ready for many runs."""
        return Stage(self.panel, self.strategy, sizing=self.sizing, costs=self.costs, cash=self.cash)

    def score(self, equity: FloatArray) -> float | None:
        """Score an equity curve by the study's figure."""
        return score(self.metric, equity, self.panel.periods_per_year)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The answer of one window: scores of all candidates on the train rows, and of the best on the test rows."""

    number: int
    train_scores: FloatArray
    """(K,); NaN where undefined."""
    best: int
    """The first candidate with the highest train score; 0 where none is defined."""
    test_score: float | None


def fit(study: Study, stage: Stage, number: int, split: Split) -> Fit:
    """Answer one window. The test rows are not looked at before the choice is made."""
    # Row 0 has no return, and nobody can have decided before it.
    first, after = max(int(split.train[0]), 1), int(split.train[-1]) + 1
    scores = np.full(len(study.candidates), np.nan)
    exact = np.ones(len(scores), dtype=np.bool_)
    if stage.training is not None:
        scores, exact = stage.training.scores(study.candidates, study.metric, first, after, study.warm)

    def follow(k: int) -> None:
        found = study.score(stage.run([Stretch(study.candidates[k], first, after)], warm=study.warm).equity)
        scores[k] = np.nan if found is None else found

    # Of those that failed the schedule names the fault.
    for k in np.flatnonzero(exact).tolist():
        follow(k)
    best = 0 if bool(np.isnan(scores).all()) else int(np.nanargmax(scores))
    if not exact[best]:
        follow(best)
    stretch = Stretch(study.candidates[best], int(split.test[0]), int(split.test[-1]) + 1)
    return Fit(number, scores, best, study.score(stage.run([stretch], warm=study.warm).equity))


class Mapper(Protocol):
    """Answers windows anywhere and in any order."""

    def __call__(self, study: Study, splits: Sequence[Split]) -> Iterator[Fit]:
        """Yield one fit for each split, numbered by its place."""
        ...


def in_process(study: Study, splits: Sequence[Split]) -> Iterator[Fit]:
    """Answer windows one after another."""
    stage = study.stage()
    for number, split in enumerate(splits):
        yield fit(study, stage, number, split)


@dataclass(frozen=True, slots=True)
class InThreads:
    """Answers windows in threads; kernels run outside the interpreter lock, so cores add up."""

    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ResearchError(f"workers={self.workers} is not positive. Use at least 1.")

    def __call__(self, study: Study, splits: Sequence[Split]) -> Iterator[Fit]:
        """Yield fits as they are done."""
        stage = study.stage()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="walk-forward") as pool:
            futures = [pool.submit(fit, study, stage, n, split) for n, split in enumerate(splits)]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)
