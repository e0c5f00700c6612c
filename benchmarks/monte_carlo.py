"""What Monte Carlo costs beside NumPy, Torch and the machine's own floor, on the same work in the same run.

The work: 50 assets, 1,000,000 correlated normal scenarios, VaR and ES at 99 % of one portfolio, from parameters in
memory to two numbers. Peers draw, correlate, revalue and select the tail. Ours is timed twice: `one portfolio` projects
weights onto the normals, as a linear book allows; `matrix` draws and keeps the returns of every asset, then measures on
them. Portfolios on shared scenarios are measured in process and through the risk engine. Floors: one pass over the
matrix in memory, and the bare product of BLAS.

Times are the least of interleaved repetitions: wall clock, and CPU seconds of all threads, which another load on the
machine disturbs less. Nothing is printed unless every method is within four standard errors of the closed form, and
ours agrees to the last bit for 1, 2 and 4 threads.

    python -m benchmarks.monte_carlo [--repeats 5] [--scenarios 1000000] [--json monte_carlo.json] [--skip-ray]
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from nt_ray.risk.historical import tail_of
from nt_ray.risk.monte_carlo.device import evaluate
from nt_ray.risk.monte_carlo.measures import simulate
from nt_ray.risk.monte_carlo.models import NormalModel
from nt_ray.risk.monte_carlo.scenarios import Plan, Scenarios, make

ASSETS = 50
CONFIDENCE = 0.99
PORTFOLIOS = 500
STORE_MB = 700


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scenarios", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--skip-ray", action="store_true")
    options = parser.parse_args()
    plan, weights = problem(options.scenarios)
    scenarios = make(plan)
    same_bits(scenarios, weights)
    result: dict[str, Any] = {
        "cpus": os.cpu_count(),
        "scenarios": options.scenarios,
        "one": one_portfolio(plan, weights[0], options.repeats),
        "shared": shared(scenarios, weights, options.repeats),
    }
    if torch.cuda.is_available():
        result["cuda"] = on_device(plan, weights, options.repeats)
    if not options.skip_ray:
        result["engine"] = through_the_engine(plan, weights, options.repeats)
    result["load_1min"] = round(os.getloadavg()[0], 2)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def problem(scenarios: int) -> tuple[Plan, np.ndarray]:
    """A factor covariance, small expected returns and random long-only portfolios, from a fixed seed."""
    random = np.random.default_rng(1)
    loadings = random.normal(size=(ASSETS, 5)) * 0.01
    covariance = loadings @ loadings.T + np.diag(random.uniform(0.5, 2.0, ASSETS) * 1e-4)
    model = NormalModel(mean=random.normal(size=ASSETS) * 2e-4, covariance=covariance)
    return Plan(model=model, count=scenarios, seed=2), random.dirichlet(np.ones(ASSETS), PORTFOLIOS)


def closed_form(plan: Plan, weights: np.ndarray) -> tuple[float, float, float, float]:
    """VaR, ES, and the standard errors of their estimates."""
    law = plan.model.law(1)
    deviation, drift = float(np.linalg.norm(weights @ law.root)), -float(weights @ law.mean)
    z, share = float(stats.norm.ppf(CONFIDENCE)), 1.0 - CONFIDENCE
    height = float(stats.norm.pdf(z))
    var_error = deviation * math.sqrt(share * CONFIDENCE / plan.count) / height
    over = height - share * z
    spread = share * (1.0 + z * z) - z * height - over * over
    return (
        drift + z * deviation,
        drift + deviation * height / share,
        var_error,
        deviation * math.sqrt(spread / plan.count) / share,
    )


def same_bits(scenarios: Scenarios, weights: np.ndarray) -> None:
    """End the program where the number of threads changes a bit."""
    wanted = scenarios.evaluate(weights[:20], CONFIDENCE, threads=1)
    for threads in (1, 2, 4):
        again = make(scenarios.plan, threads=threads)
        found = again.evaluate(weights[:20], CONFIDENCE, threads=threads)
        equal = np.array_equal(again.tiles, scenarios.tiles) and np.array_equal(found.es, wanted.es)
        if not (equal and np.array_equal(found.var, wanted.var)):
            message = f"{threads} threads change the result: no timing is worth printing."
            raise SystemExit(message)


def one_portfolio(plan: Plan, weights: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Time and error of each method."""

    def ours(threads: int) -> Callable[[], tuple[float, float]]:
        def run() -> tuple[float, float]:
            tails = simulate(plan.model, weights, CONFIDENCE, scenarios=plan.count, seed=2, threads=threads)  # type: ignore[arg-type]
            return float(tails.var[0]), float(tails.es[0])

        return run

    def matrix(threads: int) -> Callable[[], tuple[float, float]]:
        def run() -> tuple[float, float]:
            tails = make(plan, threads=threads).evaluate(weights, CONFIDENCE, threads=threads)
            return float(tails.var[0]), float(tails.es[0])

        return run

    calls: dict[str, Callable[[], tuple[float, float]]] = {
        "ours, one portfolio, 1 thread": ours(1),
        "ours, one portfolio, 2 threads": ours(2),
        "ours, matrix, 1 thread": matrix(1),
        "ours, matrix, 2 threads": matrix(2),
        "numpy float32": lambda: with_numpy(plan, weights, np.float32),
        "numpy float64": lambda: with_numpy(plan, weights, np.float64),
        "torch float32": lambda: with_torch(plan, weights),
    }
    var, es, var_error, es_error = closed_form(plan, weights)
    found = timed(calls, repeats)
    for name, row in found.items():
        row["var_errors"], row["es_errors"] = (row.pop("0") - var) / var_error, (row.pop("1") - es) / es_error
        if max(abs(row["var_errors"]), abs(row["es_errors"])) > 4.0:
            message = f"{name} is {row['var_errors']:.1f} and {row['es_errors']:.1f} standard errors off: no timing."
            raise SystemExit(message)
    return found


def with_numpy(plan: Plan, weights: np.ndarray, kind: Any) -> tuple[float, float]:
    """Draw, correlate, revalue and select with NumPy."""
    law = plan.model.law(1)
    random = np.random.Generator(np.random.SFC64(3))
    drawn = random.standard_normal((plan.count, ASSETS), dtype=kind) @ law.root.T.astype(kind)
    drawn += law.mean.astype(kind)
    losses = -(drawn @ weights.astype(kind))
    rank = math.ceil((1.0 - CONFIDENCE) * plan.count - 1e-9)
    worst = np.partition(losses, losses.size - rank)[losses.size - rank :]
    return float(worst[0]), float(worst.mean(dtype=np.float64))


def with_torch(plan: Plan, weights: np.ndarray) -> tuple[float, float]:
    """Do the same with Torch in single precision, with its own number of threads."""
    law = plan.model.law(1)
    root, mean, held = (torch.from_numpy(a).float() for a in (law.root, law.mean, weights))
    losses = -((torch.randn(plan.count, ASSETS) @ root.T + mean) @ held)
    worst = torch.topk(losses, math.ceil((1.0 - CONFIDENCE) * plan.count - 1e-9)).values
    return float(worst[-1]), float(worst.double().mean())


def shared(scenarios: Scenarios, weights: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of many portfolios on one matrix, beside NumPy, the bare product and a pass over memory."""
    matrix = scenarios.matrix()
    narrow = weights.astype(np.float32)
    block = 20_000

    def product() -> tuple[float, float]:
        for first in range(0, scenarios.plan.count, block):
            narrow @ matrix[:, first : first + block]
        return 0.0, 0.0

    def numpy() -> tuple[float, float]:
        last = (0.0, 0.0)
        for row in narrow[:20]:
            last = tail_of(row @ matrix, CONFIDENCE)
        return last

    def ours(count: int, threads: int) -> Callable[[], tuple[float, float]]:
        def run() -> tuple[float, float]:
            tails = scenarios.evaluate(weights[:count], CONFIDENCE, threads=threads)
            return float(tails.var[0]), float(tails.es[0])

        return run

    calls: dict[str, Callable[[], tuple[float, float]]] = {
        "ours, 1 portfolio, 1 thread": ours(1, 1),
        "ours, 1 portfolio, 2 threads": ours(1, 2),
        "ours, 100 portfolios, 2 threads": ours(100, 2),
        f"ours, {PORTFOLIOS} portfolios, 1 thread": ours(PORTFOLIOS, 1),
        f"ours, {PORTFOLIOS} portfolios, 2 threads": ours(PORTFOLIOS, 2),
        "numpy, 20 portfolios, one by one": numpy,
        f"floor: BLAS product of {PORTFOLIOS} portfolios, no tails": product,
        "floor: one pass over the matrix": lambda: (float(scenarios.tiles.max()), 0.0),
    }
    found = timed(calls, repeats)
    for name, row in found.items():
        count = next((int(word) for word in name.replace(",", "").split() if word.isdigit()), 1)
        row["portfolios_s"], row["portfolios_cpu_s"] = count / row["wall_s"], count / row["cpu_s"]
        row.pop("0"), row.pop("1")
    return found


def on_device(plan: Plan, weights: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds on a GPU, in double precision, scenarios drawn anew."""
    held = torch.from_numpy(weights[:1])

    def run() -> tuple[float, float]:
        var, es = evaluate(plan, held, CONFIDENCE, "cuda")
        return float(var[0]), float(es[0])

    return timed({"cuda, one portfolio": run}, repeats)


def through_the_engine(plan: Plan, weights: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Portfolios a second through actors on a Ray of this machine."""
    from actors.cluster import connect, disconnect
    from actors.risk_engine import start, stop

    found: dict[str, dict[str, float]] = {}
    connect(None, num_cpus=2, object_store_mb=STORE_MB)
    try:
        for name, count, batch in (
            ("1,000,000", plan.count, PORTFOLIOS),
            ("100,000", 100_000, PORTFOLIOS),
            ("10,000", 10_000, 1),
        ):
            used = Plan(model=plan.model, count=min(count, plan.count), seed=plan.seed)
            for workers in (1, 2) if batch > 1 else (1,):
                engines = start(used, workers=workers, threads=1, name=f"bench-{count}-{workers}")
                wanted, got = make(used).evaluate(weights, CONFIDENCE), engines.many(weights, CONFIDENCE)
                if not (np.array_equal(wanted.var, got.var) and np.array_equal(wanted.es, got.es)):
                    message = "The engine's tails differ from this process': no timing is worth printing."
                    raise SystemExit(message)
                times = []
                for _ in range(repeats if batch > 1 else 200):
                    began = time.perf_counter()
                    engines.many(weights[:batch], CONFIDENCE)
                    times.append(time.perf_counter() - began)
                label = f"{batch} portfolio(s) a call, {name} scenarios, {workers} worker(s)"
                found[label] = {"wall_s": min(times), "portfolios_s": batch / min(times)}
                stop(engines)
    finally:
        disconnect()
    return found


def timed(calls: dict[str, Callable[[], tuple[float, float]]], repeats: int) -> dict[str, dict[str, float]]:
    """Least wall and CPU seconds of each call, in turn, and its last answer; a first call does not count."""
    found: dict[str, dict[str, float]] = {name: {"wall_s": math.inf, "cpu_s": math.inf} for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            began, used = time.perf_counter(), time.process_time()
            answer = call()
            row = found[name]
            row["0"], row["1"] = answer
            if turn:
                row["wall_s"] = min(row["wall_s"], time.perf_counter() - began)
                row["cpu_s"] = min(row["cpu_s"], time.process_time() - used)
    return found


def show(result: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"{ASSETS} assets, {result['scenarios']:,} scenarios, VaR and ES at {CONFIDENCE:.0%}")
    print(f"load {result['load_1min']}")
    best = min(row["cpu_s"] for name, row in result["one"].items() if "one portfolio" in name)
    for name, row in result["one"].items():
        print(
            f"  {name:32s} wall {row['wall_s'] * 1e3:8.1f} ms  CPU {row['cpu_s'] * 1e3:8.1f} ms  "
            f"{row['cpu_s'] / best:5.1f}x  standard errors off: "
            f"VaR {row['var_errors']:+.2f}, ES {row['es_errors']:+.2f}"
        )
    print("portfolios on shared scenarios")
    for name, row in result["shared"].items():
        rate = (
            ""
            if name.startswith("floor")
            else f"  {row['portfolios_s']:7.0f}/s, {row['portfolios_cpu_s']:6.0f} a CPU second"
        )
        print(f"  {name:52s} wall {row['wall_s'] * 1e3:8.1f} ms  CPU {row['cpu_s'] * 1e3:8.1f} ms{rate}")
    for name, row in result.get("cuda", {}).items():
        print(f"  {name}: {row['wall_s'] * 1e3:.1f} ms")
    for name, row in result.get("engine", {}).items():
        print(f"  engine: {name:54s} wall {row['wall_s'] * 1e3:8.2f} ms  {row['portfolios_s']:7.0f} portfolios/s")


if __name__ == "__main__":
    main()
