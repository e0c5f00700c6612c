"""Walk-forward: choose parameters on the past, earn with them on what follows, again and again.

Each window is a job of its own (`study.fit`), so a mapper may spread windows over threads or a cluster; results do
not depend on it. The stitched account then trades every test row with the parameters of the newest window before
it, carries its positions over and pays for each turn. Beside it the strategy's default parameters trade the same
rows, so that one sees whether fitting was worth anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.schedule import Course, Stretch
from nt_ray.backtest.research.space import as_mapping
from nt_ray.backtest.research.splits import Split
from nt_ray.backtest.research.study import WARM_ROWS, Fit, Mapper, Study, in_process
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy
from nt_ray.types import FloatArray, IntArray

OnWindow = Callable[[int, int], None]
"""Called with the number of windows done and of all."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window: rows (first included, after excluded), what was chosen, and how it held."""

    number: int
    train_first: int
    train_after: int
    test_first: int
    test_after: int
    params: Mapping[str, float]
    in_sample: float | None
    """Score on the train rows of the candidate that was best there."""
    out_of_sample: float | None
    """Its score on the test rows, from a flat account of the same cash."""

    @property
    def degradation(self) -> float | None:
        """Out-of-sample score less in-sample score; negative is what fitting had promised too much."""
        if self.in_sample is None or self.out_of_sample is None:
            return None
        return self.out_of_sample - self.in_sample


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """Windows and the stitched out-of-sample account."""

    study: Study
    windows: tuple[Window, ...]
    train_scores: FloatArray
    """(W, K) scores of all candidates on each train window; NaN where undefined."""
    course: Course
    """The stitched account, rows of the first test row on."""
    default_course: Course
    """The same rows with the strategy's default parameters throughout."""

    @property
    def times(self) -> IntArray:
        """(R,) times of the test rows."""
        return self.study.panel.timestamps[self.course.first : self.course.first + len(self.course.equity_quanta) - 1]

    @property
    def score(self) -> float | None:
        """The study's figure of the stitched account."""
        return self.study.score(self.course.equity)

    @property
    def efficiency(self) -> float | None:
        """Mean out-of-sample over mean in-sample score; None unless the latter is positive. Pardo (2008)."""
        pairs = [
            (w.in_sample, w.out_of_sample)
            for w in self.windows
            if w.in_sample is not None and w.out_of_sample is not None
        ]
        if not pairs:
            return None
        inside, outside = np.mean(np.array(pairs), axis=0).tolist()
        return float(outside / inside) if inside > 0.0 else None

    def frame(self) -> pl.DataFrame:
        """One row a window: times, parameters that the space varies, scores."""
        panel = self.study.panel
        varied = varied_names(self.study)
        return pl.DataFrame(
            [
                {
                    "window": w.number,
                    "train_start": panel.time(w.train_first),
                    "train_end": panel.time(w.train_after - 1),
                    "test_start": panel.time(w.test_first),
                    "test_end": panel.time(w.test_after - 1),
                    **{name: w.params[name] for name in varied},
                    "in_sample": w.in_sample,
                    "out_of_sample": w.out_of_sample,
                    "degradation": w.degradation,
                }
                for w in self.windows
            ],
            schema_overrides=dict.fromkeys(("in_sample", "out_of_sample", "degradation", *varied), pl.Float64),
            infer_schema_length=None,
        )


def walk_forward(
    panel: BarPanel,
    strategy: Strategy,
    space: Mapping[str, Sequence[float]],
    split: Iterable[Split],
    *,
    sizing: SizingParams,
    costs: Costs,
    cash: Decimal,
    metric: str = "sharpe",
    warm: int = WARM_ROWS,
    mapper: Mapper = in_process,
    on_window: OnWindow | None = None,
) -> WalkForward:
    """Fit on each train window by grid search, judge on its test window, and stitch the test rows.

    Parameters
    ----------
    panel, strategy
        What is traded, by what; all columns, less a remainder that is narrower than the strategy.
    space
        Values of each parameter that the grid varies; the others keep their defaults.
    split
        Windows in which every train row precedes every test row, as `walk_forward_splits` makes them.
    sizing, costs, cash
        As in `nt_ray.backtest.simulator.backtest`.
    metric
        A name of `scores.SCORES`; the larger is the better.
    warm
        Rows that a strategy sees without trading before a window begins.
    mapper, on_window
        Where windows are answered, and who hears of each.
    """
    study = Study.of(panel, strategy, space, sizing=sizing, costs=costs, cash=cash, metric=metric, warm=warm)
    return walk(study, list(split), mapper=mapper, on_window=on_window)


def walk(
    study: Study, splits: Sequence[Split], *, mapper: Mapper = in_process, on_window: OnWindow | None = None
) -> WalkForward:
    """Answer the windows of a study and stitch them."""
    _check_forward(splits, len(study.panel))
    fits: list[Fit | None] = [None] * len(splits)
    for done, found in enumerate(mapper(study, splits), 1):
        fits[found.number] = found
        if on_window is not None:
            on_window(done, len(splits))
    answered = [found for found in fits if found is not None]
    if len(answered) != len(splits):
        raise ResearchError(f"{len(splits) - len(answered)} windows were left without an answer. Use another mapper.")
    stage = study.stage()
    ends = [int(s.test[0]) for s in splits[1:]] + [int(splits[-1].test[-1]) + 1]
    stretches = [
        Stretch(study.candidates[f.best], int(s.test[0]), end) for f, s, end in zip(answered, splits, ends, strict=True)
    ]
    default = Stretch(study.strategy.vector(), stretches[0].first, stretches[-1].after)
    return WalkForward(
        study,
        tuple(_window(study, f, s) for f, s in zip(answered, splits, strict=True)),
        np.array([f.train_scores for f in answered]),
        stage.run(stretches, warm=study.warm),
        stage.run([default], warm=study.warm),
    )


def varied_names(study: Study) -> tuple[str, ...]:
    """Parameters in which candidates differ, or all where none does."""
    differs = (study.candidates != study.candidates[0]).any(axis=0)
    names = [p.name for p in study.strategy.parameters]
    return tuple(n for n, d in zip(names, differs.tolist(), strict=True) if d) or tuple(names)


def _window(study: Study, found: Fit, split: Split) -> Window:
    inside = float(found.train_scores[found.best])
    return Window(
        number=found.number,
        train_first=int(split.train[0]),
        train_after=int(split.train[-1]) + 1,
        test_first=int(split.test[0]),
        test_after=int(split.test[-1]) + 1,
        params=as_mapping(study.strategy, study.candidates[found.best]),
        in_sample=None if np.isnan(inside) else inside,
        out_of_sample=found.test_score,
    )


def _check_forward(splits: Sequence[Split], rows: int) -> None:
    if not splits:
        raise ResearchError("There is no window. Use shorter windows or more data.")
    before: Split | None = None
    for number, s in enumerate(splits):
        whole = all(len(part) and bool(np.all(np.diff(part) == 1)) for part in (s.train, s.test))
        if not whole or len(s.train) < 2 or s.train[0] < 0 or s.train[-1] >= s.test[0] or s.test[-1] >= rows:
            raise ResearchError(
                f"Window {number} does not walk forward: its train rows must be an unbroken past of its test rows, "
                f"all within {rows} rows. Use walk_forward_splits."
            )
        if before is not None and not before.test[0] < s.test[0] <= before.test[-1] + 1:
            raise ResearchError(f"Window {number} leaves test rows out or goes back. Let test windows follow closely.")
        before = s
