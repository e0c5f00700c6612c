"""The long-horizon benchmark of the literature with the product's own networks and training loop, on one CPU core.

ETTh1 and Exchange by the protocol of `nt_ray.neural.scoring.ltsf`: the whole test set in front, whole batches of 32
windows (what published tables score) beside it, and the row that repeats the last value under each. A row is the mean
over seeds where something is drawn; each seed trains every member of an ensemble anew, so a figure is that of an
ensemble of `members` networks, not of one.

On ETTh1 the weights of RLinear are solved (ridge regression, `nt_ray.neural.training.ridge`), so nothing is drawn.
`choose_ridge` decides before the test on the penalty, and on one of three look-backs or the mean of all: every pair is
solved on the rows before each of five earlier cuts, and scored on the rows that follow. What is chosen is solved on the
training rows, and in a second row, "refit", on all rows before the test. `--loop` trains networks instead, as below.

Elsewhere what is forecast is the equal-weighted mean of linear networks (DLinear, NLinear, RLinear) at three
look-backs, each stopped early on the validation rows. On Exchange, where the last value is hard to beat, `choose`
decides before the test which networks take part and how far their mean is drawn to the last value: the whole procedure
is run on earlier cuts of the rows before the test, and scored on the rows that follow each cut. A second Exchange row,
"fixed", takes DLinear half and the last value half whatever the earlier rows say; that it is DLinear is known from test
rows, so it is no out-of-sample choice, and stands beside the other for that reason alone.

    python -m benchmarks.neural_ltsf --ett ETTh1.csv --exchange exchange_rate.txt.gz [--seeds 5] [--quick] [--json]

The files: https://github.com/zhouhaoyi/ETDataset and https://github.com/laiguokun/multivariate-time-series-data.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nt_ray.neural.inference.predictor import predict_windows
from nt_ray.neural.scoring.ltsf import HORIZONS, Task, TaskScore, load_task, repeat_score, score_task
from nt_ray.neural.scoring.naive import repeat_last, truth_at
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.ridge import fit_ridge
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train
from nt_ray.types import FloatArray, IntArray

MODELS = ("dlinear", "nlinear", "rlinear")
STOPPING = 39
"""Least validation windows of a cut, less one: as many as the protocol leaves at the longest horizon."""
LOOP_LOOKBACKS = (192, 336, 720)
"""Of the networks that `--loop` trains for ETTh1."""
EVERY = 5
"""`choose_ridge` scores every so many origins, so that all hours of a day take part."""
SHARES = np.arange(0.0, 1.01, 0.05)
"""Weights of the networks that `choose` tries; the rest of one is the last value's."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Networks that take part, and the weight of their mean; the rest is the last value's."""

    models: tuple[str, ...] = MODELS
    share: float = 1.0
    lookbacks: tuple[int, ...] = ()
    """Of solved networks; trained ones take all of the setting."""
    penalty: float | None = None
    """Of solved networks; None: they are trained."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the members are trained on a data set, and what its figures are held against."""

    split: str
    lookbacks: tuple[int, ...]
    batch: int
    steps: int
    lr: float
    decay: float
    cuts: tuple[float, ...]
    """Ends of the earlier cuts that are looked at for a choice, as shares of all rows; none: nothing is chosen."""
    reach: float
    """Rows after a cut that score it, as a share of all rows."""
    published: Mapping[int, float]
    """Squared error of repeating the last value in Zeng et al. (2023), by horizon."""
    targets: Mapping[int, float]
    worst: float | None = None
    """Most times the error of the last value at any horizon."""
    fixed: Choice | None = None
    """What a second row takes instead of a choice."""
    penalties: tuple[float, ...] = ()
    """Penalties to choose from, with which RLinear is solved; none: networks are trained."""
    recent: int | None = None
    """Bars whose variance weighs a window of a solved network."""


SETTINGS = {
    "ETTh1": Setting(
        split="ett-hour",
        lookbacks=(336, 504, 720),
        batch=256,
        steps=600,
        lr=2e-3,
        decay=0.1,
        cuts=(0.4, 0.45, 0.5, 0.55, 0.6),
        reach=0.2,
        published={96: 1.295, 192: 1.325, 336: 1.323, 720: 1.339},
        targets={96: 0.370, 336: 0.422, 720: 0.440},
        penalties=(0.1, 0.3, 1.0, 3.0),
        recent=336,
    ),
    "Exchange": Setting(
        split="shares",
        lookbacks=(96, 192, 336),
        batch=128,
        steps=1000,
        lr=2e-3,
        decay=0.0,
        cuts=(0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
        reach=0.2,
        published={96: 0.081, 192: 0.167, 336: 0.305, 720: 0.823},
        targets={96: 0.080, 192: 0.157},
        worst=1.02,
        fixed=Choice(("dlinear",), 0.5),
    ),
}


def solved(
    panel: SeriesPanel, held: float, horizon: int, setting: Setting, lookback: int, penalties: Sequence[float]
) -> list[Trained]:
    """Solve RLinear for each penalty on all rows but the last share `held`."""
    recipe = Recipe(model="rlinear", lookback=lookback, horizon=horizon, scaling="none", validation=held)
    return fit_ridge(panel, recipe, penalties, setting.recent)


def members(
    panel: SeriesPanel, held: float, horizon: int, setting: Setting, models: Sequence[str], seed: int
) -> list[Trained]:
    """Train each network at each look-back; the last share `held` of the rows stops them early."""
    trained = []
    for model in models:
        for lookback in setting.lookbacks:
            recipe = Recipe(
                model=model,
                lookback=lookback,
                horizon=horizon,
                scaling="none",
                batch=setting.batch,
                steps=setting.steps,
                lr=setting.lr,
                schedule="cosine",
                weight_decay=setting.decay,
                clip=0.0,
                seed=seed,
                validation=held,
                validate_every=setting.steps // 10,
                validation_windows=4096,
            )
            trained.append(train(panel, recipe))
    return trained


def mean_of(trained: Sequence[Trained], panel: SeriesPanel, origins: IntArray) -> FloatArray:
    """Mean forecast (S, O, H) of networks."""
    total = predict_windows(trained[0], panel, origins)[0]
    for one in trained[1:]:
        total += predict_windows(one, panel, origins)[0]
    mean: FloatArray = total / len(trained)
    return mean


def drawn(mean: FloatArray, last: FloatArray, share: float) -> FloatArray:
    """Forecast between the last value and a mean."""
    between: FloatArray = last + share * (mean - last)
    return between


def ratios(task: Task, horizon: int, setting: Setting, cut: int) -> dict[tuple[str, ...], FloatArray]:
    """Squared error after a cut over that of the last value, for each weight in `SHARES`, by networks that take part.

    Everything is fitted on rows before the cut, and scored on rows before the test.
    """
    ahead = task.panel.rows(0, min(cut + round(setting.reach * task.split.test), task.split.validation))
    origins = cut - 1 + np.arange(len(ahead) - cut - horizon + 1, dtype=np.int64)
    truth, last = truth_at(ahead.target, origins, horizon), repeat_last(ahead.target, origins, horizon)
    # Early cuts keep enough rows for some windows of a long horizon to stop the networks.
    held = max(held_share(task), min(0.5, (horizon + STOPPING) / cut))
    means = {
        (model,): mean_of(members(ahead.rows(0, cut), held, horizon, setting, [model], 0), ahead, origins)
        for model in MODELS
    }
    means[MODELS] = np.mean(list(means.values()), axis=0)
    naive = ((last - truth) ** 2).mean()
    return {
        models: np.array([((drawn(mean, last, share) - truth) ** 2).mean() / naive for share in SHARES])
        for models, mean in means.items()
    }


def ridge_ratios(task: Task, horizon: int, setting: Setting, cut: int) -> dict[tuple[tuple[int, ...], float], float]:
    """Squared error after a cut over that of the last value, for look-backs and penalty.

    Everything is solved on rows before the cut, and scored on rows before the test.
    """
    ahead = task.panel.rows(0, min(cut + round(setting.reach * task.split.test), task.split.validation))
    origins = cut - 1 + np.arange(0, len(ahead) - cut - horizon + 1, EVERY, dtype=np.int64)
    truth, last = truth_at(ahead.target, origins, horizon), repeat_last(ahead.target, origins, horizon)
    naive = ((last - truth) ** 2).mean()
    found: dict[tuple[tuple[int, ...], float], float] = {}
    sums = np.zeros((len(setting.penalties), *truth.shape))
    for lookback in setting.lookbacks:
        networks = solved(ahead.rows(0, cut), 0.0, horizon, setting, lookback, setting.penalties)
        for place, (penalty, network) in enumerate(zip(setting.penalties, networks, strict=True)):
            forecast = mean_of([network], ahead, origins)
            sums[place] += forecast
            found[(lookback,), penalty] = float(((forecast - truth) ** 2).mean() / naive)
    for penalty, total in zip(setting.penalties, sums, strict=True):
        mean = total / len(setting.lookbacks)
        found[setting.lookbacks, penalty] = float(((mean - truth) ** 2).mean() / naive)
    return found


def choose_ridge(task: Task, horizon: int, setting: Setting) -> Choice:
    """Choose the look-backs and the penalty with the lowest mean of `ridge_ratios` over the cuts."""
    found = [ridge_ratios(task, horizon, setting, round(cut * task.split.test)) for cut in setting.cuts]
    lookbacks, penalty = min(found[0], key=lambda key: float(np.mean([one[key] for one in found])))
    return Choice(("rlinear",), 1.0, lookbacks, penalty)


def choose(task: Task, horizon: int, setting: Setting) -> Choice:
    """Choose from rows before the test alone.

    Networks with the lowest mean over the cuts of the error at the best weight of each cut take part; their weight is
    the mean of those best weights.
    """
    if setting.penalties:
        return choose_ridge(task, horizon, setting)
    if not setting.cuts:
        return Choice()
    found = [ratios(task, horizon, setting, round(cut * task.split.test)) for cut in setting.cuts]
    models = min(found[0], key=lambda key: float(np.mean([one[key].min() for one in found])))
    return Choice(models, float(np.mean([SHARES[int(one[models].argmin())] for one in found])))


def held_share(task: Task) -> float:
    """Validation rows as a share of those before the test."""
    return (task.split.validation - task.split.train) / task.split.validation


def one_seed(task: Task, horizon: int, setting: Setting, choice: Choice, seed: int, refit: bool = False) -> TaskScore:
    """Train on the rows before the test, score on it; with `refit` the validation rows are solved with the others."""
    if choice.penalty is None:
        trained = members(task.developing, held_share(task), horizon, setting, choice.models, seed)
    else:
        held = 0.0 if refit else held_share(task)
        trained = [
            solved(task.developing, held, horizon, setting, lookback, [choice.penalty])[0]
            for lookback in choice.lookbacks
        ]

    def predict(origins: IntArray) -> FloatArray:
        last = repeat_last(task.panel.target, origins, horizon)
        return drawn(mean_of(trained, task.panel, origins), last, choice.share)

    return score_task(task, horizon, predict)


def rows(task: Task, horizon: int, setting: Setting, seeds: int) -> Iterator[dict[str, Any]]:
    """Measure one horizon: with what is fixed, with what is chosen, and that solved anew with the validation rows."""
    if setting.fixed is not None:
        yield row(task, horizon, setting, seeds, setting.fixed, "fixed")
    began = time.process_time()
    choice = choose(task, horizon, setting)
    choosing = time.process_time() - began
    # Nothing is drawn where weights are solved.
    seeds = seeds if choice.penalty is None else 1
    yield row(task, horizon, setting, seeds, choice, "chosen", choosing)
    if choice.penalty is not None:
        yield row(task, horizon, setting, seeds, choice, "refit", choosing)


def row(
    task: Task, horizon: int, setting: Setting, seeds: int, choice: Choice, kind: str, choosing: float = 0.0
) -> dict[str, Any]:
    """Measure one horizon with a choice."""
    began = time.process_time()
    scores = [one_seed(task, horizon, setting, choice, seed, kind == "refit") for seed in range(seeds)]
    naive = repeat_score(task, horizon)
    mse = np.array([score.mse for score in scores])
    lookbacks = choice.lookbacks or setting.lookbacks
    result: dict[str, Any] = {
        "set": task.name,
        "horizon": horizon,
        "kind": kind,
        "models": list(choice.models),
        "lookbacks": list(lookbacks),
        "members": len(choice.models) * len(lookbacks),
        "share": round(choice.share, 3),
        "penalty": choice.penalty,
        "windows": naive.windows,
        "mse": float(mse.mean()),
        "mse_sd": float(mse.std(ddof=1)) if seeds > 1 else None,
        "mae": float(np.mean([score.mae for score in scores])),
        "dropped_mse": _mean([score.dropped_mse for score in scores]),
        "dropped_mae": _mean([score.dropped_mae for score in scores]),
        "repeat": {"mse": naive.mse, "mae": naive.mae, "dropped_mse": naive.dropped_mse},
        "repeat_published": setting.published[horizon],
        "cpu_s_choosing": round(choosing, 1),
        "cpu_s_a_seed": round((time.process_time() - began) / seeds, 1),
    }
    return result | {"checks": checks(result, setting)}


def checks(result: dict[str, Any], setting: Setting) -> dict[str, bool]:
    """Hold a row against its targets, to the three digits that tables print."""
    horizon, mse, naive = result["horizon"], round(result["mse"], 3), result["repeat"]
    published = setting.published[horizon]
    found = {"repeats the published last-value row": abs(round(naive["dropped_mse"], 3) - published) <= 0.0011}
    if horizon in setting.targets:
        found[f"at most {setting.targets[horizon]:.3f}"] = mse <= setting.targets[horizon]
    if setting.worst is not None:
        found[f"at most {setting.worst} times the last value"] = result["mse"] <= setting.worst * naive["mse"]
    return found


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def show(result: dict[str, Any]) -> None:
    """Print a row and the last value's under it."""
    spread = "" if result["mse_sd"] is None else f" ± {result['mse_sd']:.4f}"
    naive, penalty = result["repeat"], result["penalty"]
    how = f"weight {result['share']:.2f}" if penalty is None else f"solved, penalty {penalty:g}"
    print(
        f"{result['set']:<9}{result['horizon']:>4}  mse {result['mse']:.4f}{spread}  mae {result['mae']:.4f}  "
        f"drop-last {result['dropped_mse']:.4f}  {'+'.join(result['models'])} {result['lookbacks']}, {how} "
        f"({result['kind']}); {result['cpu_s_a_seed']:.0f} CPU-s a seed, {result['cpu_s_choosing']:.0f} choosing"
    )
    print(
        f"{'':<9}{'':>4}  repeat the last value: mse {naive['mse']:.4f}  mae {naive['mae']:.4f}  "
        f"drop-last {naive['dropped_mse']:.4f} (published {result['repeat_published']:.3f})"
    )
    for check, met in result["checks"].items():
        print(f"{'':<15}{'yes' if met else 'NO ':<4}{check}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ett", type=Path, help="ETTh1.csv")
    parser.add_argument("--exchange", type=Path, help="exchange_rate.txt or .txt.gz")
    parser.add_argument("--horizons", default=",".join(map(str, HORIZONS)))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one seed at the shortest horizon")
    parser.add_argument("--loop", action="store_true", help="train the networks of ETTh1 in place of solving them")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths = {name: path for name, path in (("ETTh1", options.ett), ("Exchange", options.exchange)) if path}
    if not paths:
        parser.error("give --ett, --exchange or both")
    torch.set_num_threads(1)
    horizons = [int(horizon) for horizon in options.horizons.split(",")]
    horizons, seeds = (horizons[:1], 1) if options.quick else (horizons, options.seeds)
    found = []
    if not options.json:
        print(f"Test rows, {seeds} seeds: mean ± deviation; whole test, and whole batches of 32 (drop-last)")
    for name, path in paths.items():
        setting = SETTINGS[name]
        if options.loop and setting.penalties:
            setting = replace(setting, lookbacks=LOOP_LOOKBACKS, penalties=(), cuts=())
        task = load_task(path, setting.split, name)
        for horizon in horizons:
            for result in rows(task, horizon, setting, seeds):
                found.append(result)
                if not options.json:
                    show(result)
    if options.json:
        print(json.dumps({"seeds": seeds, "rows": found}, indent=1))


if __name__ == "__main__":
    main()
