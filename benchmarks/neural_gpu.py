"""Windows trained per second on a GPU: the product's loop against eager torch, and against what the card allows.

"Eager" is the same network in a loop as one writes it: random windows by index from series on the card, forward, loss,
backward, fused Adam, no clipping, operation by operation. The product's loop takes whole steps as one captured graph.
The floor of a step is the larger of two: its operations (counted, views left out) at the cost of one in a replayed
graph of trivial ones, and its multiplications and additions (counted) at the rate of a large product of matrices; both
rates are measured on the card in the same run. It is a bound, not a forecast: memory and dependencies between cells of
a recurrent network come on top.

Without a GPU one line says so and nothing is measured. `--device cpu` runs all of it on the CPU, without the graph, to
see that it works; its figures mean nothing.

    python -m benchmarks.neural_gpu [--batches 1024,8192] [--steps 300] [--device cuda] [--json]
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import Training

LOOKBACK, HORIZON = 96, 24
NETWORKS: dict[str, dict[str, float]] = {
    "dlinear": {},
    "nhits": {},
    "lstm": {"layers": 2, "shrink": 1.0, "dropout": 0.0},
    "transformer": {},
}
WARM_UP = 20


class Operations(TorchDispatchMode):
    """Counts operations that start work: views start none."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count one."""
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def panel_of(series: int, rows: int) -> SeriesPanel:
    """Random walks."""
    values = np.random.default_rng(0).normal(size=(series, rows)).cumsum(axis=1)
    times = np.datetime64("2000-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h")
    return SeriesPanel(tuple(f"s{i}" for i in range(series)), times, values)


def run_of(panel: SeriesPanel, name: str, batch: int, steps: int, device: str) -> Training:
    """Make the product's run."""
    recipe = Recipe(
        model=name,
        parameters=NETWORKS[name],
        lookback=LOOKBACK,
        horizon=HORIZON,
        batch=batch,
        steps=steps,
        clip=0.0,
        validation=0.0,
        validate_every=0,
    )
    return Training(panel, recipe, device=device)


class Eager:
    """Steps of a network as one writes them."""

    def __init__(self, panel: SeriesPanel, network: Forecaster, batch: int, device: str) -> None:
        self._values = torch.from_numpy(panel.target.astype(np.float32)).to(device)
        self._network = network
        self._batch = batch
        self._adam = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        self._ahead = torch.arange(LOOKBACK + HORIZON, device=device)

    def step(self) -> None:
        """Take one."""
        values, device = self._values, self._values.device
        series = torch.randint(values.shape[0], (self._batch, 1), device=device)
        start = torch.randint(values.shape[1] - LOOKBACK - HORIZON + 1, (self._batch, 1), device=device)
        window = values[series, start + self._ahead]
        past = window[:, :LOOKBACK]
        mean, deviation = past.mean(dim=1, keepdim=True), past.std(dim=1, keepdim=True) + 1e-5
        scaled = (window - mean) / deviation
        none = scaled.new_zeros(self._batch, 0)
        ones = scaled.new_ones(1, 1).expand(self._batch, LOOKBACK)
        batch = Batch(
            scaled[:, :LOOKBACK],
            ones,
            none.view(self._batch, LOOKBACK, 0),
            none.view(self._batch, LOOKBACK + HORIZON, 0),
            none,
        )
        loss = (self._network(batch)[..., 0] - scaled[:, LOOKBACK:]).square().mean()
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._adam.step()


def seconds(call: Callable[[], None], times: int, device: str) -> float:
    """Wall seconds of a call, the mean over some, after warm-up."""
    for _ in range(WARM_UP):
        call()
    _wait(device)
    began = time.perf_counter()
    for _ in range(times):
        call()
    _wait(device)
    return (time.perf_counter() - began) / times


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def launch_seconds(device: str, operations: int = 1000) -> float:
    """Cost of one trivial operation: in a replayed graph on a card, one by one on a CPU."""
    value = torch.zeros(1, device=device)

    def many() -> None:
        for _ in range(operations):
            value.add_(1.0)

    if device == "cpu":
        return seconds(many, 5, device) / operations
    many()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        many()
    return seconds(graph.replay, 20, device) / operations


def flops(device: str) -> float:
    """Operations per second of a large product of matrices in float32, as the networks are set to compute it."""
    side = 8192 if device != "cpu" else 512
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    return 2.0 * side**3 / seconds(lambda: torch.mm(left, right, out=left.new_empty(side, side)), 10, device)


def counted(step: Callable[[], None]) -> tuple[int, int]:
    """Operations and floating-point operations of a step."""
    with Operations() as operations:
        step()
    with FlopCounterMode(display=False) as flop:
        step()
    return operations.count, flop.get_total_flops()


def network_row(panel: SeriesPanel, name: str, batch: int, steps: int, device: str, rates: tuple[float, float]) -> Any:
    """Measure one network at one batch."""
    run = run_of(panel, name, batch, steps + WARM_UP, device)
    own = seconds(run.advance, steps, device)
    run.read()
    eager = Eager(panel, run_of(panel, name, batch, 1, device).task.network, batch, device)
    plain = seconds(eager.step, steps, device)
    count, work = counted(eager.step)
    floor = max(count * rates[0], work / rates[1])
    return {
        "network": name,
        "batch": batch,
        "own_windows_s": batch / own,
        "eager_windows_s": batch / plain,
        "floor_windows_s": batch / floor,
        "bound": "operations" if count * rates[0] > work / rates[1] else "arithmetic",
        "operations": count,
        "gflop": work / 1e9,
        "times_eager": plain / own,
        "share_of_floor": floor / own,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batches", default="1024,8192")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    device = options.device
    if device != "cpu" and not torch.cuda.is_available():
        print("There is no GPU here, so nothing is measured.")
        return
    panel = panel_of(options.series, options.rows)
    rates = launch_seconds(device), flops(device)
    card = "CPU, a trial of the program" if device == "cpu" else torch.cuda.get_device_name()
    rows = [
        network_row(panel, name, int(batch), options.steps, device, rates)
        for name in options.networks.split(",")
        for batch in options.batches.split(",")
    ]
    if options.json:
        print(json.dumps({"card": card, "us_an_operation": rates[0] * 1e6, "flops": rates[1], "rows": rows}, indent=1))
        return
    print(f"{card}: {rates[0] * 1e6:.2f} µs an operation, {rates[1] / 1e12:.2f} TFLOP/s in float32")
    print(f"{'windows/s':<14}{'batch':>6}{'product':>14}{'eager':>14}{'floor':>14}   times eager, share of floor")
    for row in rows:
        print(
            f"{row['network']:<14}{row['batch']:>6}{row['own_windows_s']:>14,.0f}{row['eager_windows_s']:>14,.0f}"
            f"{row['floor_windows_s']:>14,.0f}   {row['times_eager']:.1f}, {row['share_of_floor']:.0%} ({row['bound']})"
        )


if __name__ == "__main__":
    main()
