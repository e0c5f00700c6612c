"""Portfolio optimisers beside skfolio, PyPortfolioOpt and riskfolio-lib: the same data, limits and objectives.

1,000 assets and 1,000 days: a market that is the last days of the S&P 500, and for each asset a beta, a sector and its
own noise, both cut in blocks of 21 days out of the residuals of 20 real stocks, so tails are as fat as real ones. The
draws have a fixed seed. Covariance and expected returns are yearly, shrunk after Ledoit and Wolf and computed once, so
that absolute tolerances of solvers see numbers of ordinary size. All problems are long-only; those with an optimum cap
a weight at 10 %.

Each objective is computed here from the weights that came back. `gap` is how much worse a peer's is, below zero better,
which says something only where `broken`, the largest violation of a limit, is nil. `apart` is the largest difference of
two weights, `ratio` how many times longer the peer took. Times are the least of the repeats; a peer's are without its
import and without bringing the data into its form. The peers run in an environment of their own
(`sh benchmarks/risk_peers.sh` makes it); a missing one is named.

    python -m benchmarks.risk [--assets 1000] [--days 1000] [--repeats 20] [--peer-repeats 2] [--json FILE]
"""

import argparse
import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.market.bars import CLOSE
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.moments.shrinkage import ledoit_wolf
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.cvar import min_cvar
from nt_ray.portfolio.optimise.erc import risk_parity
from nt_ray.portfolio.optimise.hrp import hrp
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance
from nt_ray.portfolio.optimise.solution import Solution
from nt_ray.risk.historical import historical_es
from nt_ray.types import FloatArray

SEED, BLOCK, SECTORS, FACTORS = 11, 21, 20, 20
DAYS_A_YEAR = 252
CAP, AVERSION, CONFIDENCE = 0.1, 5.0, 0.95
CAPPED = Constraints(upper=CAP)
PEERS = {"skfolio": "skfolio 1.12.2", "pypfopt": "PyPortfolioOpt 1.6.0", "riskfolio": "riskfolio-lib 7.4.0"}
PROGRAM = Path(__file__).parent / "peers" / "risk_weights.py"


@dataclass(frozen=True)
class Data:
    """What the optimisers are given."""

    returns: FloatArray
    """(T, N)"""
    tomorrow: FloatArray
    """(T, N) a day later"""
    covariance: FloatArray
    expected: FloatArray
    factors: FactorCovariance


@dataclass(frozen=True)
class Case:
    """One problem: how this side solves it, and what is compared: the lower the better."""

    label: str
    solve: Callable[[], Solution]
    objective: Callable[[FloatArray], float]
    cap: float = 1.0
    peers: str = ""
    """Name of the peers' task; empty where they have none."""
    repeats: int = 1
    """Repeats in one timing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=int, default=1000)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--peer-repeats", type=int, default=2)
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.assets, options.days, options.repeats, options.peer_repeats, options.peers)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def panel(assets: int, days: int, seed: int = SEED) -> FloatArray:
    """(days, assets) simple returns as the module describes them."""
    stocks, index = (_returns(name) for name in ("sp500", "sp500-index"))
    rows = min(len(stocks), len(index))
    stocks, market = stocks[-rows:], index[-rows:, 0]
    beta = (stocks - stocks.mean(axis=0)).T @ (market - market.mean()) / (rows * market.var())
    residuals = stocks - market[:, None] * beta
    draw = np.random.default_rng(seed)

    def blocks(count: int) -> FloatArray:
        starts = draw.integers(0, rows - BLOCK, (count, -(-days // BLOCK)))
        chosen = (starts[:, :, None] + np.arange(BLOCK)).reshape(count, -1)[:, :days]
        return np.asarray(residuals[chosen, draw.integers(0, stocks.shape[1], count)[:, None]].T)

    sectors = 0.6 * blocks(SECTORS)[:, np.arange(assets) % SECTORS]
    own = draw.uniform(0.6, 1.4, assets) * blocks(assets)
    betas = np.maximum(draw.normal(1.0, 0.35, assets), 0.1)
    return np.maximum(market[-days:, None] * betas + sectors + own, -0.95)


def _returns(name: str) -> FloatArray:
    closes = np.asarray(load_embedded(name).values)[:, :, CLOSE]
    return np.asarray(closes[1:] / closes[:-1] - 1.0)


def data_of(assets: int, days: int) -> Data:
    """Draw the panel and estimate what is given to the optimisers."""
    both = panel(assets, days + 1)
    today = np.ascontiguousarray(both[:-1])
    covariance = np.ascontiguousarray(ledoit_wolf(today) * DAYS_A_YEAR)
    # Means of a few years say little: most of their distance from the common mean is noise.
    means = today.mean(axis=0) * DAYS_A_YEAR
    return Data(
        today, np.ascontiguousarray(both[1:]), covariance, 0.2 * means + 0.8 * means.mean(), factor_form(covariance)
    )


def factor_form(covariance: FloatArray) -> FactorCovariance:
    """Keep the principal components that explain most, and the rest as each asset's own variance."""
    values, vectors = np.linalg.eigh(covariance)
    count = min(FACTORS, len(values) - 1)
    loadings = vectors[:, -count:] * np.sqrt(values[-count:])
    return FactorCovariance(loadings, np.eye(count), covariance.diagonal() - (loadings**2).sum(axis=1))


def cases_of(data: Data) -> list[Case]:
    """Name the problems."""
    cov, mu, dense = data.covariance, data.expected, data.factors.dense()
    first = minimum_variance(cov, CAPPED).warm
    tail = min_cvar(data.returns, CONFIDENCE, CAPPED).warm

    def variance(weights: FloatArray) -> float:
        return float(weights @ cov @ weights)

    def shortfall(returns: FloatArray) -> Callable[[FloatArray], float]:
        return lambda weights: historical_es(returns @ weights, CONFIDENCE)

    return [
        Case("minimum variance", lambda: minimum_variance(cov, CAPPED), variance, CAP, "minimum_variance", 5),
        Case("minimum variance, warm", lambda: minimum_variance(cov, CAPPED, warm=first), variance, CAP, "", 5),
        Case(
            "mean-variance, aversion 5",
            lambda: mean_variance(mu, cov, AVERSION, CAPPED),
            lambda w: 0.5 * AVERSION * variance(w) - float(mu @ w),
            CAP,
            "mean_variance",
            5,
        ),
        Case(
            "Ledoit-Wolf and minimum variance",
            lambda: minimum_variance(ledoit_wolf(data.returns), CAPPED),
            variance,
            CAP,
            "ledoit_wolf",
        ),
        Case(
            f"minimum variance, {FACTORS} factors",
            lambda: minimum_variance(data.factors, CAPPED),
            lambda w: float(w @ dense @ w),
            CAP,
            "",
            5,
        ),
        Case(
            "min-CVaR 95 %",
            lambda: min_cvar(data.returns, CONFIDENCE, CAPPED),
            shortfall(data.returns),
            CAP,
            "min_cvar",
        ),
        Case(
            "min-CVaR 95 %, next day",
            lambda: min_cvar(data.tomorrow, CONFIDENCE, CAPPED, warm=tail),
            shortfall(data.tomorrow),
            CAP,
        ),
        Case("HRP from returns", lambda: hrp(returns=data.returns), variance, 1.0, "hrp"),
        Case("HRP from a covariance", lambda: hrp(cov), variance),
        Case("equal risk contributions", lambda: risk_parity(cov), lambda w: most_risk(w, cov), 1.0, "risk_parity"),
        Case("equal risk contributions, factors", lambda: risk_parity(data.factors), lambda w: most_risk(w, dense)),
    ]


def most_risk(weights: FloatArray, covariance: FloatArray) -> float:
    """Largest contribution to the risk, in equal contributions: 1 where they are equal, and nowhere less."""
    contributions = weights * (covariance @ weights)
    return float(contributions.max() / contributions.mean())


def measure(assets: int, days: int, repeats: int, peer_repeats: int, folder: Path) -> dict[str, Any]:
    """Solve every problem on every side."""
    data = data_of(assets, days)
    cases = cases_of(data)
    result: dict[str, Any] = {"assets": assets, "days": days, "seed": SEED, "cpus": os.cpu_count()}
    rows: dict[str, Any] = {}
    for case in cases:
        rows[case.label] = {"nt-ray": ours(case, repeats)}
    python = folder / "risk" / "bin" / "python"
    result["not_installed"] = [] if python.exists() else list(PEERS.values())
    if python.exists():
        for case, library, answer in answers(python, data, cases, peer_repeats):
            rows[case.label][PEERS[library]] = beside(case, answer, rows[case.label]["nt-ray"])
    for sides in rows.values():
        del sides["nt-ray"]["weights"]
    result["load_1min"] = round(os.getloadavg()[0], 2)
    result["cases"] = rows
    return result


def ours(case: Case, repeats: int) -> dict[str, Any]:
    """Time this side: least wall and processor time of a solve."""
    found = case.solve()
    wall, cpu = math.inf, math.inf
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(case.repeats):
            case.solve()
        wall = min(wall, (time.perf_counter() - began) / case.repeats)
        cpu = min(cpu, (time.process_time() - used) / case.repeats)
    return {
        "ms": wall * 1e3,
        "cpu_ms": cpu * 1e3,
        "objective": case.objective(found.weights),
        "broken": broken(found.weights, case.cap),
        "solver": found.solver,
        "residual": None if math.isnan(found.residual) else found.residual,
        "iterations": found.iterations,
        "names": int((found.weights > 1e-6).sum()),
        "weights": found.weights.tolist(),
    }


def answers(python: Path, data: Data, cases: list[Case], repeats: int) -> list[tuple[Case, str, dict[str, Any]]]:
    """Ask the peers for every problem they know; the fastest answer of each."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("returns", "covariance", "expected"):
            np.save(Path(scratch) / f"{name}.npy", getattr(data, name))
        command = [str(python), str(PROGRAM), scratch]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            known = _next(program)["ready"]
            for case in cases:
                for library in PEERS:
                    if (task := f"{library} {case.peers}") in known:
                        asked = [_ask(program, task) for _ in range(repeats)]
                        found.append((case, library, min(asked, key=lambda one: one["seconds"])))
            program.stdin.close()
    return found


def _ask(program: "subprocess.Popen[str]", task: str) -> dict[str, Any]:
    program.stdin.write(task + "\n")
    program.stdin.flush()
    return _next(program)


def _next(program: "subprocess.Popen[str]") -> dict[str, Any]:
    line = program.stdout.readline()
    if not line:
        message = "The program of the peers ended; what it says stands above."
        raise SystemExit(message)
    answer: dict[str, Any] = json.loads(line)
    return answer


def beside(case: Case, answer: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Compare a peer's weights and time with this side's."""
    weights = np.array(answer["weights"])
    objective = case.objective(weights)
    return {
        "ms": answer["seconds"] * 1e3,
        "cpu_ms": answer["cpu_seconds"] * 1e3,
        "ratio": answer["seconds"] * 1e3 / own["ms"],
        "objective": objective,
        "gap": (objective - own["objective"]) / max(abs(own["objective"]), 1e-300),
        "apart": float(np.abs(weights - own["weights"]).max()),
        "broken": broken(weights, case.cap),
    }


def broken(weights: FloatArray, cap: float) -> float:
    """Largest violation of full investment, of long-only in sum, and of the cap."""
    short = float(-np.minimum(weights, 0.0).sum())
    return max(abs(float(weights.sum()) - 1.0), short, float(weights.max()) - cap, 0.0)


def show(result: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"{result['assets']:,} assets, {result['days']:,} days, seed {result['seed']}; load {result['load_1min']}")
    if result["not_installed"]:
        print(f"Not installed: {', '.join(result['not_installed'])}. Run sh benchmarks/risk_peers.sh.")
    for label, sides in result["cases"].items():
        own = sides["nt-ray"]
        proof = "a rule" if own["residual"] is None else f"residual {own['residual']:.0e}"
        print(f"\n{label}")
        print(
            f"  {'nt-ray':22s}{own['ms']:10.2f} ms  (cpu {own['cpu_ms']:.2f})  objective {own['objective']:.9g}  "
            f"{own['solver']}, {proof}, {own['names']} names"
        )
        for peer, row in sides.items():
            if peer != "nt-ray":
                print(
                    f"  {peer:22s}{row['ms']:10.2f} ms  (cpu {row['cpu_ms']:.0f})  ratio {row['ratio']:.0f}  "
                    f"gap {row['gap']:+.1e}  weights apart {row['apart']:.0e}  broken {row['broken']:.0e}"
                )


if __name__ == "__main__":
    main()
