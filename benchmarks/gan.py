"""Synthetic paths of the S&P 500: a generative adversarial network against GARCH(1,1) and bootstraps.

Each is fitted to the daily log returns of May 2009 to December 2018 and draws `--paths` paths of 4,000 days; their
stylised facts are compared with those of that history and of 2019 to 2022, which nothing was fitted to. The network is
trained once a seed and its row is the mean over seeds, with the deviation beside it. Its loss holds the curves that the
in-sample part is scored by (GARCH fits a likelihood, the bootstrap copies), so the row "penalties alone"
(`--ablation`) shows what remains without a critic, "critic alone" without the penalties, and the hold-out rows what of
it lasts.

    python -m benchmarks.gan [--minutes 1] [--seeds 5] [--paths 500] [--ablation] [--page FILE.html] [--json]

`--minutes` is the CPU time of one training on one core: the number of steps follows from the cost of a few.
"""

import argparse
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nt_ray.market.source import load_panel
from nt_ray.neural.synthetic.rivals import Paths, rivals
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.source import PathSource
from nt_ray.neural.synthetic.stylised_facts import Distances, Facts, distances, facts
from nt_ray.neural.synthetic.training import GanTraining
from nt_ray.reports.synthetic_page import SyntheticReport, write_synthetic
from nt_ray.types import FloatArray

LENGTH = 4000
TIMED_STEPS = 6
NETWORK = "network"
NOTE = "The network's loss holds the four curves of the fitted period: there its distances are a fit, not a forecast."
ABLATIONS = {
    "penalties alone": {"adversarial": 0.0},
    "critic alone": {"dependence": 0.0, "quantile": 0.0, "learning_rate": 0.001, "gradient": 5.0},
}
PATIENCE = {"critic alone": 4}
"""A critic alone teaches slowly: it gets this many times the steps."""
HISTORIES = {
    "2009-05 to 2018-12": (datetime(2009, 5, 1, tzinfo=UTC), datetime(2018, 12, 31, 23, tzinfo=UTC)),
    "2019 to 2022 (hold-out)": (datetime(2018, 12, 31, tzinfo=UTC), datetime(2022, 12, 31, tzinfo=UTC)),
}
SHOWN = (
    "returns",
    "absolute",
    "squares",
    "leverage",
    "emd",
    "deviation",
    "skew",
    "excess_kurtosis",
    "hill_low",
    "coarse_fine",
)


def history(start: datetime, end: datetime) -> FloatArray:
    """Daily log returns of the S&P 500 between two moments."""
    closes = load_panel("sp500-index", start=start, end=end).closes[:, 0]
    returns: FloatArray = np.diff(np.log(closes))
    return returns


def steps_in(minutes: float, returns: FloatArray, settings: GanSettings) -> int:
    """Training steps that fit into some minutes of CPU time here."""
    trial = GanTraining(returns, settings)
    trial.run(2)
    began = time.process_time()
    trial.run(2 + TIMED_STEPS)
    return max(1, int(60.0 * minutes / ((time.process_time() - began) / TIMED_STEPS)))


def trained(returns: FloatArray, settings: GanSettings) -> tuple[PathSource, float]:
    """A trained network, and the CPU seconds it took."""
    began = time.process_time()
    training = GanTraining(returns, settings)
    training.run()
    return PathSource.of(training), time.process_time() - began


def networks(
    returns: FloatArray, minutes: float | None, seeds: int, ablation: bool
) -> tuple[dict[str, list[Paths]], Any]:
    """Path sources by row, one a seed, and what their training took."""
    settings = GanSettings()
    if minutes is not None:
        settings = settings.model_copy(update={"steps": steps_in(minutes, returns, settings)})
    found: dict[str, list[Paths]] = {}
    seconds = []
    for name, changes in {NETWORK: {}, **(ABLATIONS if ablation else {})}.items():
        found[name] = []
        for seed in range(seeds):
            steps = settings.steps * PATIENCE.get(name, 1)
            source, took = trained(returns, settings.model_copy(update={**changes, "seed": seed, "steps": steps}))
            found[name].append(lambda count, length, seed, source=source: source.paths(count, length, seed=seed))
            if name == NETWORK:
                seconds.append(round(took, 1))
    return found, {"steps": settings.steps, "cpu_seconds": seconds}


def measure(sources: dict[str, list[Paths]], paths: int) -> dict[str, list[Facts]]:
    """Facts of each source's paths, one a seed."""
    return {
        name: [facts(draw(paths, LENGTH, seed)) for seed, draw in enumerate(each)] for name, each in sources.items()
    }


def row(real: Facts, found: list[Facts]) -> dict[str, tuple[float, float]]:
    """Mean and deviation over seeds of each distance."""
    columns = [asdict(distances(real, one)) for one in found]
    table = {key: np.array([column[key] for column in columns]) for key in Distances.__dataclass_fields__}
    return {key: (float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0) for key, v in table.items()}


def verdicts(rows: dict[str, dict[str, tuple[float, float]]]) -> dict[str, bool]:
    """Whether the mean of the network is nearer to the history than a rival, fact by fact."""
    own, result = rows[NETWORK], {}
    for rival in ("GARCH(1,1)", "stationary bootstrap"):
        for key in ("absolute", "squares", "leverage"):
            result[f"{key} nearer than {rival}"] = own[key][0] < rows[rival][key][0]
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="CPU minutes of one training (default: the default steps)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--paths", type=int, default=500)
    parser.add_argument("--ablation", action="store_true", help="train also without critic and without penalties")
    parser.add_argument("--page", type=Path, help="write the page of the curves here")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    past, *_ = histories = {name: history(*span) for name, span in HISTORIES.items()}
    sources, took = networks(histories[past], arguments.minutes, arguments.seeds, arguments.ablation)
    # The rivals get as many seeds, so that their rows carry their noise too.
    sources |= {name: [draw] * arguments.seeds for name, draw in rivals(histories[past]).items()}
    found = measure(sources, arguments.paths)
    reals = {name: facts(returns) for name, returns in histories.items()}
    tables = {name: {rival: row(real, each) for rival, each in found.items()} for name, real in reals.items()}
    result = {"paths": arguments.paths, "seeds": arguments.seeds, **took, "distances": tables}
    result["verdicts"] = {name: verdicts(rows) for name, rows in tables.items()}
    if arguments.page:
        first = {name: each[0] for name, each in found.items()}
        report = SyntheticReport(
            "S&P 500", past, reals[past], first, {n: r for n, r in reals.items() if n != past}, NOTE
        )
        write_synthetic(report, arguments.page)
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    show(result)


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    print(
        f"network: {result['steps']} steps, CPU seconds {result['cpu_seconds']}; "
        f"{result['seeds']} seeds, mean ± deviation"
    )
    print(NOTE)
    for name, rows in result["distances"].items():
        print(f"\n{name}\n{'':22}" + "".join(f"{key[:15]:>17}" for key in SHOWN))
        for rival, cells in rows.items():
            print(f"{rival:22}" + "".join(f"{cells[key][0]:>10.4f}±{cells[key][1]:<6.4f}" for key in SHOWN))
        for verdict, true in result["verdicts"][name].items():
            print(f"  {verdict}: {'yes' if true else 'no'}")


if __name__ == "__main__":
    main()
