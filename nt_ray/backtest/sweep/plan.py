"""A sweep as data: what is run, on what, under which rules; its size, its identity and its chunks.

A plan knows neither threads nor clusters: whoever runs it asks for `tape()` once and for `work(first, last)` of each
chunk, hands both to `run_chunk` wherever there is a processor, and gives the answer to `table`.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from nt_ray.backtest.simulator import cash_quanta
from nt_ray.backtest.sweep import totals
from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork
from nt_ray.backtest.sweep.kernels import code_digest
from nt_ray.backtest.sweep.measures import METRICS, measures
from nt_ray.backtest.sweep.space import Space, SweepError, refusal
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.fault import find_fault
from nt_ray.types import IntArray

TARGET_EXPOSURE: Final = SizingParams(target_volatility=math.inf, max_weight=1.0)
"""The target of a vote is the weight of the position: all in, out, or short, resized beyond a band of 1 %."""

BYTES_A_RUN: Final = 8 * (totals.WHOLE + totals.REAL + 2 * len(METRICS) + 4)
"""Totals, metrics and table columns of one run."""


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """One account for each combination of parameters and each group of symbols, all under the same rules."""

    panel: BarPanel
    strategy: Strategy
    space: Space
    costs: Costs = field(default_factory=Costs)
    initial_cash: Decimal = Decimal(1_000_000)
    sizing: SizingParams = TARGET_EXPOSURE
    groups: Sequence[Sequence[int]] | None = None
    """Columns of the panel, `strategy.width` to a group; None takes neighbours, what is left over at the end is not
    covered."""

    def __post_init__(self) -> None:
        if len(self.panel) < 2:
            raise SweepError(f"The panel has {len(self.panel)} bar(s). Give at least 2.")
        cash_quanta(self.initial_cash)
        _ = self.columns, self.combinations

    @cached_property
    def columns(self) -> IntArray:
        """(G, width) columns of the groups."""
        width, n = self.strategy.width, len(self.panel.instruments)
        groups = self.groups
        if groups is None:
            groups = [range(first, first + width) for first in range(0, n - width + 1, width)]
        if len(groups) == 0:
            raise SweepError(f"{self.strategy.name} looks at {width} symbols; the panel has {n}. Give more symbols.")
        for group in groups:
            if len(set(group)) != width or len(group) != width or not all(0 <= c < n for c in group):
                raise SweepError(
                    f"{self.strategy.name}: {list(group)} is no group of {width} distinct columns of 0 to {n - 1}. "
                    "Change the group."
                )
        return np.array([list(g) for g in groups], dtype=np.int64)

    @cached_property
    def combinations(self) -> int:
        """Number of combinations."""
        return self.space.size(self.strategy)

    @property
    def runs(self) -> int:
        """Number of accounts."""
        return self.combinations * len(self.columns)

    @property
    def nbytes(self) -> int:
        """Bytes that the whole result takes, and the bars laid out for it."""
        bars = len(self.panel) * self.columns.size * 8 * (14 + len(self.strategy.inputs))
        return bars + self.runs * BYTES_A_RUN + self.combinations * 8 * len(self.strategy.parameters)

    def check_memory(self, limit: int) -> None:
        """Raise where the result would take more than `limit` bytes."""
        if self.nbytes > limit:
            fit = max(int(self.combinations * limit / self.nbytes), 1)
            raise SweepError(
                f"{self.combinations:,} combinations on {len(self.columns)} groups take {self.nbytes:,} bytes; "
                f"{limit:,} are allowed. Raise the limit, sweep at most about {fit:,} combinations at a time, or give "
                "a folder, in which chunks are kept on disk."
            )

    def tape(self, *, share: bool = True) -> SweepTape:
        """Bars as the kernels read them; `share` prepares work that combinations have in common."""
        return SweepTape.of(
            self.panel,
            self.strategy,
            self.columns,
            self.sizing,
            self.costs,
            cash_quanta(self.initial_cash),
            share=share,
        )

    def work(self, first: int, last: int) -> ChunkWork:
        """Combinations `first` to `last - 1`, the impossible ones told apart."""
        rows = self.space.rows(self.strategy, first, last)
        refused = {k: text for k, row in enumerate(rows) if (text := refusal(self.strategy, row)) is not None}
        return ChunkWork(first, rows, refused)

    def table(self, work: ChunkWork, found: ChunkTotals) -> pl.DataFrame:
        """Table of a chunk: combination, symbols, parameters, metrics, failure; one row for each run."""
        k, g = found.whole.shape[:2]
        symbols = [" ".join(self.panel.symbols[c] for c in group) for group in self.columns]
        columns: dict[str, object] = {
            "combination": np.repeat(np.arange(work.first, work.first + k), g),
            "symbols": pl.Series(symbols * k, dtype=pl.String),
        }
        for column, parameter in enumerate(self.strategy.parameters):
            columns[parameter.name] = np.repeat(work.rows[:, column], g)
        values = measures(
            found.whole, found.real, cash_quanta(self.initial_cash), len(self.panel), self.panel.periods_per_year
        )
        columns |= {name: pl.Series(values[name].ravel(), nan_to_null=True) for name in METRICS}
        places = {i: self.broken(work, i, found.broken[i]) for i in found.broken}
        columns["failure"] = pl.Series(
            [places.get(i // g) or self.failure(work, found, i // g, i % g) for i in range(k * g)], dtype=pl.String
        )
        return pl.DataFrame(columns).with_columns(pl.col("trades").cast(pl.Int64))

    def facts(self) -> dict[str, object]:
        """What the sweep is, as JSON can hold it."""
        return {
            "strategy": self.strategy.name,
            "space": self.space.facts(),
            "combinations": self.combinations,
            "symbols": [[self.panel.symbols[c] for c in group] for group in self.columns],
            "bars": len(self.panel),
            "first_bar": self.panel.time(0).isoformat(),
            "last_bar": self.panel.time(-1).isoformat(),
            "costs": {name: str(value) for name, value in asdict(self.costs).items()},
            "sizing": {name: str(value) for name, value in asdict(self.sizing).items()},
            "initial_cash": str(self.initial_cash),
            "data": self.panel.name,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides a result: bars, code, parameters, rules. The name of the data is none."""
        facts = {name: value for name, value in self.facts().items() if name != "data"}
        facts["periods_per_year"] = self.panel.periods_per_year
        facts["instruments"] = [repr(i) for i in self.panel.instruments]
        facts["fields"] = self.panel.fields
        step = getattr(self.strategy.step, "py_func", None)
        facts["code"] = code_digest([Path(step.__code__.co_filename)] if step is not None else [])
        sha = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        sha.update(self.panel.timestamps.tobytes())
        sha.update(self.panel.values.tobytes())
        return sha.hexdigest()

    def failure(self, work: ChunkWork, found: ChunkTotals, k: int, g: int) -> str | None:
        """Why a run of a chunk failed; None where it did not."""
        status, row = found.whole[k, g, totals.STATUS], int(found.whole[k, g, totals.ROW])
        if status == totals.FINE:
            return None
        if status == totals.BROKEN:
            return work.refused.get(k) or self.broken(work, k, found.broken[k])
        if status == totals.TOO_LARGE:
            symbols = "/".join(self.panel.symbols[c] for c in self.columns[g])
            when = self.panel.time(row).isoformat()
            return f"The account of {symbols} outgrows what whole quanta can hold at {when}. Use less initial cash."
        fault = find_fault(self.strategy, work.rows[k], self.panel, [self.columns[g].tolist()], after=row + 1)
        what = "target" if status == totals.BAD_TARGET else "confidence"
        lost = f"{self.strategy.name} gave a {what} that is none, but not again on the same bars. Mend the step."
        return lost if fault is None else str(fault)

    def broken(self, work: ChunkWork, k: int, reason: str) -> str:
        """Where the step of a combination raises; the reason alone where it does so no more."""
        fault = find_fault(self.strategy, work.rows[k], self.panel, self.columns.tolist())
        return reason if fault is None else str(fault)
