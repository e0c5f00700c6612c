"""Sweeps beside vectorbt's Rust engine and raptorbt: the same closes, pairs of averages and fees.

A  one symbol, 1,000,000 bars, crossover 20/50: totals alone, and with every trade and the equity curve;
B  1,000 pairs of averages on 20 symbols of 2,520 bars, two processors.

The peers put everything into a position at the close that gave the signal. This side trades at the next open, so each
bar opens where the one before closed, and in thousandths of a share; what is left of the difference is that the peers
pay a fee out of what they invest, this side on top of it. No time is printed unless the final equity and the number of
orders of every side agree with a reference in NumPy: `TOLERANCE` relative in the mean, `ORDERS` relative in number.
A reference with means rounded as floats shows what exact ties are worth; see `reference`.

The peers run in environments of their own (`sh benchmarks/peers.sh` makes them), one that is not there is left out and
named. Each figure is the median of interleaved runs, from arrays in memory to totals in memory.

    python -m benchmarks.sweep_peers [--repeats 5] [--peers .venv-peers] [--json FILE]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sweep import CASH, CHEAP, COSTS, PAIRS, ours, summed
from nt_ray.backtest.sweep import Grid, SweepPlan, record, totals
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.strategies.sma_cross import STRATEGY
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray

PAIR_A = (20, 50)
TOLERANCE, ORDERS = 2e-3, 2e-3
PROGRAMS = Path(__file__).parent / "peers"
LABELS = {
    ("vectorbt", "a_ordinary"): "vectorbt 1.2.0 Rust, ordinary API, end to end",
    ("vectorbt", "a_arrays"): "vectorbt 1.2.0 Rust, low-level functions, end to end",
    ("vectorbt", "a_simulator"): "vectorbt 1.2.0 Rust, simulator alone, signals prepared",
    ("raptorbt", "a_ordinary"): "raptorbt 0.13.4, end to end",
    ("vectorbt", "b_expert"): "vectorbt 1.2.0 Rust, low-level functions, means kept, two processes",
    ("vectorbt", "b_ordinary"): "vectorbt 1.2.0 Rust, ordinary API, one process",
    ("raptorbt", "b_batch"): "raptorbt 0.13.4, batch on two processors",
}

Answer = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A program or a call that runs one task and tells seconds, final equities, orders, and pairs where not all."""

    label: str
    run: Callable[[], Answer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--bars", type=int, default=1_000_000, help="of task A")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.bars, options.repeats, options.peers)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def walk(bars: int, symbols: int, size: float) -> FloatArray:
    """(T, N) closes of a random walk with a fixed seed, in steps of 0.0001."""
    steps = np.random.default_rng(7).normal(0.0, size, (bars, symbols))
    return np.maximum(np.round(100.0 * np.exp(np.cumsum(steps, axis=0)), 4), 0.0001)


def panel_of(closes: FloatArray) -> BarPanel:
    """Closes as bars that open where the one before closed, of symbols that trade in thousandths."""
    opens = np.vstack([closes[:1], closes[:-1]])
    volume = np.full(closes.shape, 1e12)
    values = np.stack([opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, volume], axis=2)
    instruments = tuple(Instrument(f"S{i:02d}", quantity_increment=Decimal("0.001")) for i in range(closes.shape[1]))
    return BarPanel(instruments, np.arange(len(closes), dtype=np.int64) * 60 * 10**9, np.ascontiguousarray(values))


def plans(bars: int) -> dict[str, SweepPlan]:
    """Both tasks as this side runs them."""
    pair = {"fast": [PAIR_A[0]], "slow": [PAIR_A[1]]}
    return {
        "A": SweepPlan(panel_of(walk(bars, 1, 0.0005)), STRATEGY, Grid(pair), CHEAP),
        "B": SweepPlan(panel_of(walk(2520, 20, 0.01)), STRATEGY, Grid(PAIRS), COSTS),
    }


def pairs_of(plan: SweepPlan) -> IntArray:
    """(K, 2) lengths."""
    return plan.work(0, plan.combinations).rows[:, :2].astype(np.int64)


def reference(closes: FloatArray, pairs: IntArray, fees: float, *, exact: bool = True) -> tuple[FloatArray, int]:
    """Final equities (N * K) and orders of the peers' rule: all in at the close above, all out at the close below.

    With `exact` the means are compared as whole ticks, so a tie is a tie; without, as floats, which settle a tie by
    their rounding, and on which the peers differ among themselves.
    """
    found, orders = [], 0
    for close in closes.T:
        steps = np.rint(close * 1e4).astype(np.int64) if exact else close
        sums = np.concatenate([np.zeros(1, dtype=steps.dtype), np.cumsum(steps)])
        for fast, slow in pairs.tolist():
            near, far = sums[slow:] - sums[slow - fast : -fast], sums[slow:] - sums[:-slow]
            lead = near * slow - far * fast if exact else near / fast - far / slow
            votes = np.sign(lead)[np.flatnonzero(lead)] > 0
            rows = np.flatnonzero(lead) + slow - 1
            turns = np.flatnonzero(np.diff(np.concatenate([[False], votes])))
            prices = close[rows[turns]]
            orders += len(prices)
            if len(prices) % 2:
                prices = np.append(prices, close[-1] / (1.0 - fees))
            growth = prices[1::2] * (1.0 - fees) / (prices[::2] * (1.0 + fees))
            found.append(CASH * float(np.prod(growth)))
    return np.array(found), orders


def totals_only(plan: SweepPlan, tape: SweepTape, threads: int) -> Answer:
    """Run a plan on this side; nothing kept but totals."""
    began = time.perf_counter()
    parts = ours(plan, tape, threads)
    seconds = time.perf_counter() - began
    whole = np.concatenate([found.whole for _, found in sorted(parts, key=lambda part: part[0].first)])
    finals = whole[..., totals.FINAL].T.ravel() / QUANTA_PER_UNIT
    return {"seconds": seconds, "finals": finals.tolist(), "orders": int(whole[..., totals.TRADES].sum())}


def recorded(plan: SweepPlan, tape: SweepTape) -> Answer:
    """Run the only run of a plan with all of its trades, cash, equity and positions, shared sums made anew."""
    began = time.perf_counter()
    found = record(plan, 0, 0, summed(tape))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "finals": [float(found.final_equity)], "orders": len(found.executions)}


@contextmanager
def peer(name: str, folder: Path, data: Path) -> Iterator[Callable[[str], Answer] | None]:
    """A function that has a peer run a task by its name; None where the peer is not installed."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        yield None
        return
    command = [str(python), str(PROGRAMS / f"{name}_sweep.py"), str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:

        def ask(task: str = "") -> Answer:
            if task:
                program.stdin.write(task + "\n")
                program.stdin.flush()
            line = program.stdout.readline()
            if not line:
                message = f"{name} ended in the middle of {task or 'its start'}; what it says stands above."
                raise SystemExit(message)
            answer: Answer = json.loads(line)
            return answer

        ask()
        yield ask
        program.stdin.close()


def measure(bars: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Run all of them in turn; check what they end with; return the figures."""
    sides = plans(bars)
    tapes = {name: plan.tape() for name, plan in sides.items()}
    result: dict[str, Any] = {"repeats": repeats, "cpus": os.cpu_count(), "not_installed": []}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        data = Path(scratch) / "data.npz"
        write(data, sides)
        peers = {name: stack.enter_context(peer(name, folder, data)) for name in ("vectorbt", "raptorbt")}
        result["not_installed"] = [name for name, ask in peers.items() if ask is None]
        for name, plan in sides.items():
            tasks = [
                Task("nt-ray, totals", lambda n=name: totals_only(sides[n], tapes[n], 1 if n == "A" else 2)),
                *([Task("nt-ray, every trade and the equity curve", lambda: recorded(sides["A"], tapes["A"]))]
                  if name == "A" else []),
                *(Task(label, lambda a=peers[who], t=task: a(t))
                  for (who, task), label in LABELS.items()
                  if peers[who] is not None and task.startswith(name.lower())),
            ]  # fmt: skip
            result[name] = beside(plan, tasks, repeats)
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["load_1min"] = round(os.getloadavg()[0], 2)
    return result


def write(path: Path, sides: dict[str, SweepPlan]) -> None:
    """Write what the peers read."""
    a, b = sides["A"], sides["B"]
    np.savez(
        path, closes_a=a.panel.closes[:, 0], closes_b=b.panel.closes, pairs=pairs_of(b), pair_a=np.array(PAIR_A),
        fees_a=fees_of(a), fees_b=fees_of(b), cash=float(CASH),
    )  # fmt: skip


def fees_of(plan: SweepPlan) -> float:
    """Commission as a share of the notional."""
    return float(plan.costs.commission_bps / 10_000)


def beside(plan: SweepPlan, tasks: list[Task], repeats: int) -> dict[str, Any]:
    """Compare what the tasks end with, then run them in turn; rates and spreads by label."""
    closes, pairs = np.asarray(plan.panel.closes), pairs_of(plan)
    wanted, orders = reference(closes, pairs, fees_of(plan))
    by_floats, _ = reference(closes, pairs, fees_of(plan), exact=False)
    answers: dict[str, list[Answer]] = {task.label: [] for task in tasks}
    for turn in range(repeats + 1):
        for task in tasks:
            answer = task.run()
            check(task.label, answer, wanted.reshape(closes.shape[1], -1), orders)
            if turn:
                answers[task.label].append(answer)
    rows = {label: row(plan, given, wanted.reshape(closes.shape[1], -1)) for label, given in answers.items()}
    ties = abs(float(by_floats.mean() / wanted.mean()) - 1.0)
    return {"bars": plan.runs * len(plan.panel), "orders": orders, "ties_are_worth": ties, "engines": rows}


def check(label: str, answer: Answer, wanted: FloatArray, orders: int) -> None:
    """End the program where a side's equity is another one's."""
    some = wanted[:, : answer.get("pairs", wanted.shape[1])]
    off = abs(float(np.mean(answer["finals"]) / some.mean()) - 1.0)
    many = "pairs" not in answer and abs(answer["orders"] / orders - 1.0) > ORDERS
    if len(answer["finals"]) != some.size or off > TOLERANCE or many:
        message = (
            f"{label} ends otherwise: mean final equity off by {off:.2e}, {answer['orders']:,} orders against "
            f"{orders:,}. No time is worth printing."
        )
        raise SystemExit(message)


def row(plan: SweepPlan, given: list[Answer], wanted: FloatArray) -> dict[str, float]:
    """Figures of one engine."""
    pairs = given[0].get("pairs", plan.combinations)
    bars = pairs * wanted.shape[0] * len(plan.panel)
    seconds = [answer["seconds"] for answer in given]
    low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    return {
        "seconds": float(middle),
        "m_bars_s": bars / float(middle) / 1e6,
        "spread": float((high - low) / middle),
        "off": abs(float(np.mean(given[0]["finals"]) / wanted[:, :pairs].mean()) - 1.0),
        "peak_mb": statistics.median(answer.get("peak_mb", float("nan")) for answer in given),
    }


def show(result: dict[str, Any]) -> None:
    """Print the figures and what the first engine of each task is to the others."""
    for name in ("A", "B"):
        part = result[name]
        print(f"{name}  {part['bars']:,} bars, {part['orders']:,} orders; median of {result['repeats']} runs in turn")
        rates = {label: figures["m_bars_s"] for label, figures in part["engines"].items()}
        own = [label for label in rates if label.startswith("nt-ray")]
        for label, figures in part["engines"].items():
            ratios = "" if label in own else "   " + ", ".join(f"{rates[o] / rates[label]:.1f}x" for o in own)
            memory = "" if np.isnan(figures["peak_mb"]) else f"   {figures['peak_mb']:.0f} MB"
            busy = "   spread above 15 %: the machine was busy" if figures["spread"] > 0.15 else ""
            print(
                f"   {label:<68}{figures['m_bars_s']:>8.1f} M bars/s{ratios:>16}   equity off by {figures['off']:.1e}"
                f"{memory}{busy}"
            )
        print(f"   exact ties settled by the rounding of floats are worth {part['ties_are_worth']:.1e} of the equity")
    for name in result["not_installed"]:
        print(f"{name} is not installed: sh benchmarks/peers.sh")
    print("ratios: nt-ray's lines above it, in order, over the engine; peak of this process "
          f"{result['peak_mb']:.0f} MB, load {result['load_1min']}")  # fmt: skip


if __name__ == "__main__":
    main()
