"""Rolling coverage of conformal intervals around the product's networks: ETTh1 and daily returns of the S&P 500.

ETTh1: a network trained on the 12 months of the protocol forecasts every hour of the validation and test months; the
intervals learn from its errors as they become known, and are judged on the test months. S&P 500: the index and its
embedded stocks, walk-forward, the network trained anew every two years on all rows before; judged from two years after
the first forecast. Printed are the coverage of all judged rows, its mean over seeds, and the least and the largest of
any stretch of origins as long as named, of any seed.

    python -m benchmarks.neural_intervals [--ett ETTh1.csv] [--seeds 5] [--json]
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nt_ray.market.source import load_panel
from nt_ray.neural.scoring.distributions import coverage, rolling_coverage
from nt_ray.neural.scoring.evaluation import Plan, walk_forward
from nt_ray.neural.scoring.intervals import interval_of
from nt_ray.neural.scoring.ltsf import load_task
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.scoring.naive import truth_at
from nt_ray.neural.scoring.network_method import Network
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe

SHARES = (0.8, 0.9)
WITHIN = 0.02
SOURCES = {"index": "sp500-index", "stocks": "sp500"}
DAYS_2Y, DAYS_3Y, HOURS_30D = 504, 756, 720


def judged(made: Forecasts, panel: SeriesPanel, first: int, stretch: int) -> dict[str, Any]:
    """Coverage of the intervals from origin number `first` on."""
    truth = truth_at(panel.target, made.origins, made.mean.shape[-1])
    found: dict[str, Any] = {"origins": len(made.origins) - first, "stretch": stretch}
    for share in SHARES:
        bounds = interval_of(made, truth, share)
        part = [values[:, first:] for values in (truth, bounds.low, bounds.high)]
        covered, rolling = coverage(*part), rolling_coverage(*part, stretch)
        if covered is None:
            message = "There is no truth to judge the intervals by."
            raise SystemExit(message)
        found[f"{share:.0%}"] = {
            "covered": covered,
            "least": float(rolling.min()),
            "largest": float(rolling.max()),
        }
    return found


def over_seeds(made: Iterable[Forecasts], panel: SeriesPanel, first: int, stretch: int) -> dict[str, Any]:
    """Mean coverage of the intervals around forecasts of several seeds, and the worst stretches of any."""
    rows = [judged(one, panel, first, stretch) for one in made]
    return rows[0] | {"seeds": len(rows)} | {f"{s:.0%}": _joined([row[f"{s:.0%}"] for row in rows], s) for s in SHARES}


def _joined(cells: Sequence[dict[str, float]], share: float) -> dict[str, Any]:
    each = [cell["covered"] for cell in cells]
    covered, least = float(np.mean(each)), min(cell["least"] for cell in cells)
    largest = max(cell["largest"] for cell in cells)
    return {
        "covered": covered,
        "covered_sd": float(np.std(each, ddof=1)) if len(each) > 1 else None,
        "least": least,
        "largest": largest,
        "met": abs(covered - share) <= WITHIN,
        "rolling_met": max(share - least, largest - share) <= WITHIN,
    }


def ett(path: Path, horizon: int, seeds: int) -> dict[str, Any]:
    """Hours of ETTh1."""
    task = load_task(path, "ett-hour", "ETTh1")
    recipe = Recipe(model="rlinear", lookback=336, horizon=horizon, scaling="none", batch=256, steps=800)
    # The last tenth of the training months stops the network early; the protocol's validation months are left alone.
    origins = np.arange(task.split.train - 1, task.split.test - horizon, dtype=np.int64)
    network = Network("rlinear", recipe)
    # One seed after the other, so that the forecasts of one alone are in memory.
    made = (network.fit(task.fitting, seed, None).forecast(task.panel, origins) for seed in range(seeds))
    return over_seeds(made, task.panel, task.split.validation - task.split.train, 3 * HOURS_30D)


def sp500(source: str, seeds: int) -> dict[str, Any]:
    """Daily log returns of the index or of stocks."""
    closes = load_panel(source)
    returns = np.diff(np.log(closes.closes), axis=0).T
    times = np.datetime64("1990-01-01", "us") + np.arange(returns.shape[1]) * np.timedelta64(1, "D")
    panel = SeriesPanel(tuple(str(i) for i in range(len(returns))), times, np.ascontiguousarray(returns))
    recipe = Recipe(model="lstm", parameters={"hidden": 16, "layers": 1}, lookback=60, horizon=5, batch=128, steps=200)
    plan = Plan(train=5 * DAYS_2Y // 2, test=DAYS_2Y, anchored=True, seeds=tuple(range(seeds)))
    made = walk_forward(panel, Network("lstm", recipe), plan).forecasts
    return over_seeds(made, panel, DAYS_2Y, DAYS_3Y)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ett", type=Path, help="ETTh1.csv; left out, the S&P 500 alone is measured")
    parser.add_argument("--horizon", type=int, default=96, help="hours ahead on ETTh1")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.seeds < 1:
        parser.error("--seeds takes 1 or more")
    tasks: dict[str, Any] = {}
    if options.ett is not None:
        tasks["ETTh1"] = partial(ett, options.ett, options.horizon, options.seeds)
    tasks |= {f"S&P 500 {name}": partial(sp500, source, options.seeds) for name, source in SOURCES.items()}
    result = {}
    for name, call in tasks.items():
        began = time.process_time()
        result[name] = call() | {"cpu_s": round(time.process_time() - began, 1)}
        if not options.json:
            show(name, result[name])
    if options.json:
        print(json.dumps(result, indent=1))


def show(name: str, row: dict[str, Any]) -> None:
    """Print a row."""
    print(f"{name}: {row['origins']:,} origins judged, {row['seeds']} seeds, {row['cpu_s']:.0f} CPU-s")
    for share in SHARES:
        cell = row[f"{share:.0%}"]
        print(
            f"  {share:.0%} intervals cover {cell['covered']:.1%} ({'within' if cell['met'] else 'NOT within'} "
            f"{WITHIN:.0%}); any {row['stretch']:,} origins {cell['least']:.1%} to {cell['largest']:.1%} "
            f"({'within' if cell['rolling_met'] else 'NOT within'})",
            flush=True,
        )


if __name__ == "__main__":
    main()
